import { toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { type Server, status } from "@grpc/grpc-js";
import {
  ServerReflectionService as ReflectionV1,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "../../proto/gen/grpc/reflection/v1/reflection.js";
import { ServerReflectionService as ReflectionV1Alpha } from "../../proto/gen/grpc/reflection/v1alpha/reflection.js";
import { descriptors } from "./descriptors.js";
import { implementService, type ServiceOptions } from "./service.js";

type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;

/** Adds server reflection (v1 and v1alpha) that tells of exactly the given services, fully qualified. */
export function addReflection(server: Server, services: readonly string[], options: ServiceOptions): void {
  const index = createIndex();
  const names = [...services, "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"].sort();
  // The two versions of the protocol are alike but for the package name.
  const serverReflectionInfo = async function* (
    requests: AsyncIterable<ServerReflectionRequest>,
  ): AsyncIterable<ServerReflectionResponse> {
    for await (const request of requests) {
      yield { validHost: request.host, originalRequest: request, messageResponse: answer(request, names, index) };
    }
  };
  server.addService(ReflectionV1, implementService(ReflectionV1, { serverReflectionInfo }, options));
  server.addService(ReflectionV1Alpha, implementService(ReflectionV1Alpha, { serverReflectionInfo }, options));
}

interface Index {
  readonly byFile: ReadonlyMap<string, FileDescriptorProto>;
  readonly bySymbol: ReadonlyMap<string, FileDescriptorProto>;
  /** By extended message, ".google.protobuf.MethodOptions", and number. */
  readonly byExtension: ReadonlyMap<string, ReadonlyMap<number, FileDescriptorProto>>;
}

function createIndex(): Index {
  const byFile = new Map<string, FileDescriptorProto>();
  const bySymbol = new Map<string, FileDescriptorProto>();
  const byExtension = new Map<string, Map<number, FileDescriptorProto>>();
  for (const file of descriptors().files) {
    byFile.set(file.name, file);
    for (const symbol of symbolsOf(file)) bySymbol.set(symbol, file);
    for (const { extendee, number } of file.extension) {
      const ofMessage = byExtension.get(extendee) ?? new Map<number, FileDescriptorProto>();
      byExtension.set(extendee, ofMessage.set(number, file));
    }
  }
  return { byFile, bySymbol, byExtension };
}

function symbolsOf(file: FileDescriptorProto): string[] {
  const within = (scope: string, name: string): string => (scope === "" ? name : `${scope}.${name}`);
  const ofMessage = (scope: string, message: FileDescriptorProto["messageType"][number]): string[] => {
    const name = within(scope, message.name);
    return [
      name,
      ...message.field.map((field) => within(name, field.name)),
      ...message.enumType.map((type) => within(name, type.name)),
      ...message.nestedType.flatMap((nested) => ofMessage(name, nested)),
    ];
  };
  return [
    ...file.messageType.flatMap((message) => ofMessage(file.package, message)),
    ...file.enumType.map((type) => within(file.package, type.name)),
    ...file.extension.map((extension) => within(file.package, extension.name)),
    ...file.service.flatMap((service) => {
      const name = within(file.package, service.name);
      return [name, ...service.method.map((method) => within(name, method.name))];
    }),
  ];
}

function answer(request: ServerReflectionRequest, services: readonly string[], index: Index): Answer {
  const question = request.messageRequest;
  switch (question?.$case) {
    case "listServices":
      return { $case: "listServicesResponse", value: { service: services.map((name) => ({ name })) } };
    case "fileByFilename":
      return fileAnswer(index.byFile.get(question.value), index, question.value);
    case "fileContainingSymbol":
      return fileAnswer(index.bySymbol.get(question.value), index, question.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = question.value;
      const file = index.byExtension.get(`.${containingType}`)?.get(extensionNumber);
      return fileAnswer(file, index, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType": {
      const numbers = index.byExtension.get(`.${question.value}`);
      if (numbers === undefined) return failure(status.NOT_FOUND, `${question.value.slice(0, 200)} has no extensions`);
      return {
        $case: "allExtensionNumbersResponse",
        value: { baseTypeName: question.value, extensionNumber: [...numbers.keys()] },
      };
    }
    case undefined:
      return failure(status.INVALID_ARGUMENT, "the request asks nothing");
  }
}

// The file and all it imports, each once: clients that cannot ask again get all they need.
function fileAnswer(file: FileDescriptorProto | undefined, index: Index, wanted: string): Answer {
  if (file === undefined) return failure(status.NOT_FOUND, `${wanted.slice(0, 200)} is not known`);
  const needed = new Map<string, FileDescriptorProto>();
  const collect = (next: FileDescriptorProto): void => {
    if (needed.has(next.name)) return;
    needed.set(next.name, next);
    for (const dependency of next.dependency) {
      const imported = index.byFile.get(dependency);
      if (imported !== undefined) collect(imported);
    }
  };
  collect(file);
  const fileDescriptorProto = [...needed.values()].map((each) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, each)),
  );
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function failure(errorCode: status, errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode, errorMessage } };
}
