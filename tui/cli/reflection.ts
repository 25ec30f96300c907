import { PassThrough } from "node:stream";
import { create, createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { unavailable, ZorError } from "../../lib/errors.js";
import type { CallOptions, Connection } from "../../lib/grpc/connection.js";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService,
} from "../../proto/gen/grpc/reflection/v1/reflection.js";

type Question = NonNullable<ServerReflectionRequest["messageRequest"]>;
type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;

/** Asks a server what it offers, over one stream of the reflection protocol (v1). */
export class ReflectionClient implements Disposable {
  readonly #requests = new PassThrough({ objectMode: true });
  readonly #responses: AsyncIterator<ServerReflectionResponse>;
  readonly #files = new Map<string, FileDescriptorProto>();

  constructor(connection: Connection, options: CallOptions) {
    const stream = connection.bidi(ServerReflectionService.serverReflectionInfo, this.#requests, options);
    this.#responses = stream[Symbol.asyncIterator]();
  }

  /** Fully qualified names of the server's services. */
  async listServices(): Promise<string[]> {
    const answer = await this.#ask({ $case: "listServices", value: "" });
    return answer.$case === "listServicesResponse" ? answer.value.service.map(({ name }) => name).sort() : [];
  }

  /**
   * Descriptors of symbols ("zor.v1.InstanceService") and of all they refer to.
   * @throws {ZorError} NOT_FOUND when the server does not know one.
   */
  async describe(...symbols: readonly string[]): Promise<FileRegistry> {
    // What was asked for before is described again: one registry serves a message with all that is packed into it.
    const files = this.#files;
    const add = (answer: Answer): void => {
      if (answer.$case !== "fileDescriptorResponse") return;
      for (const bytes of answer.value.fileDescriptorProto) {
        const file = fromBinary(FileDescriptorProtoSchema, bytes);
        files.set(file.name, file);
      }
    };
    for (const symbol of symbols) add(await this.#ask({ $case: "fileContainingSymbol", value: symbol }));
    // Servers may leave imports out; each is asked for once.
    const asked = new Set<string>();
    for (;;) {
      const missing = [...files.values()]
        .flatMap(({ dependency }) => dependency)
        .find((name) => !files.has(name) && !asked.has(name));
      if (missing === undefined) break;
      asked.add(missing);
      add(await this.#ask({ $case: "fileByFilename", value: missing }));
    }
    return createFileRegistry(create(FileDescriptorSetSchema, { file: importsFirst(files) }));
  }

  async #ask(messageRequest: Question): Promise<Answer> {
    const request: ServerReflectionRequest = { host: "", messageRequest };
    this.#requests.write(request);
    const { value, done } = await this.#responses.next();
    const answer = done === true ? undefined : value.messageResponse;
    if (answer === undefined) throw unavailable("NO_REFLECTION", "", "the server ended its answers about itself");
    if (answer.$case !== "errorResponse") return answer;
    const { errorCode, errorMessage } = answer.value;
    throw new ZorError({ reason: "REFLECTION", code: errorCode, message: errorMessage });
  }

  [Symbol.dispose](): void {
    this.#requests.end();
    this.#responses.return?.()?.catch(() => undefined);
  }
}

/** Files in an order in which each comes after what it imports. */
function importsFirst(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const ordered = new Map<string, FileDescriptorProto>();
  const visiting = new Set<string>();
  const visit = (name: string): void => {
    const file = files.get(name);
    if (file === undefined || visiting.has(name)) return;
    visiting.add(name);
    file.dependency.forEach(visit);
    ordered.set(name, file);
  };
  for (const name of files.keys()) visit(name);
  return [...ordered.values()];
}
