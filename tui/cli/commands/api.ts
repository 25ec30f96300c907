import {
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import type { Command } from "commander";
import { invalidArgument, messageOf, notFound } from "../../../lib/errors.js";
import type { Method } from "../../../lib/grpc/connection.js";
import { quote } from "../../../lib/names.js";
import { nearest } from "../../../lib/nearest.js";
import { escapeText } from "../../kit/text/escape.js";
import { asList, LanguageArgument, outputOption, type Registrar, withExamples } from "../command.js";
import { readGiven } from "../input/read-given.js";
import { commandOf } from "../method-commands.js";
import { describeSymbol, signature } from "../output/describe-symbol.js";
import type { StructuredForm } from "../output/forms.js";
import type { ListForm } from "../output/list-form.js";
import { printList } from "../output/print-list.js";
import type { Column } from "../output/table.js";
import { ReflectionClient } from "../reflection.js";
import type { Session } from "../session.js";

/** `zor api list|describe|call`. */
export function define({ program, open }: Registrar): void {
  const api = program.command("api").description("Call any method of the server's API; nothing of it is built in.");
  api.helpCommand(false);
  defineList(api, open);
  defineDescribe(api, open);
  defineCall(api, open);
}

function defineList(api: Command, open: Registrar["open"]): void {
  const command = api
    .command("list")
    .description("List the server's services and their methods, with the command that calls each.")
    .action(async (form: ListForm) => {
      const session = open(command);
      using reflection = new ReflectionClient(await session.connect(), session.readOptions());
      const rows: DescMethod[] = [];
      for (const service of await reflection.listServices()) {
        rows.push(...((await reflection.describe(service)).getService(service)?.methods ?? []));
      }
      await printList(session, form, {
        columns: methodColumns,
        rows,
        nameOf: pathOf,
        json: (sorted) => ({
          methods: sorted.map((method) => ({
            name: pathOf(method),
            kind: method.methodKind,
            command: commandOf(`/${pathOf(method)}`),
            signature: signature(method),
          })),
        }),
        none: "the server serves nothing",
      });
    });
  asList(command);
  withExamples(command, "zor api list");
}

const pathOf = ({ parent, name }: DescMethod): string => `${parent.typeName}/${name}`;

const methodColumns: readonly Column<DescMethod>[] = [
  { title: "METHOD", rank: 0, value: pathOf },
  { title: "COMMAND", rank: 1, value: (method) => commandOf(`/${pathOf(method)}`) ?? "" },
  { title: "STREAMS", rank: 1, shown: "wide", value: ({ methodKind }) => methodKind.replace("unary", "") },
  { title: "SIGNATURE", rank: 2, shown: "asked", value: signature },
];

function defineDescribe(api: Command, open: Registrar["open"]): void {
  const command = api
    .command("describe")
    .description("Show a service, a method's messages, a message or an enum, as proto.")
    .argument("<symbol>", "InstanceService, zor.v1.Instance, InstanceService/StartInstance ...")
    .action(async (symbol: string) => {
      const session = open(command);
      using reflection = new ReflectionClient(await session.connect(), session.readOptions());
      const [type = "", method] = symbol.split("/");
      const name = await fullSymbol(reflection, type, method === undefined);
      for (const line of describeSymbol(await reflection.describe(name), name, method)) session.print(escapeText(line));
    });
  withExamples(command, "zor api describe InstanceService", "zor api describe zor.v1.InstanceSpec");
}

function defineCall(api: Command, open: Registrar["open"]): void {
  const command = api
    .command("call")
    .description(
      "Call a method with a request as proto3 JSON. Server streams print one response a line until they end.",
    )
    .addArgument(new LanguageArgument("<method>", "SERVICE/METHOD; the package may be left out", "methods"))
    .argument("[json]", "the request; @FILE reads a file, - standard input (default: {})")
    .addOption(outputOption(["json", "yaml"], "json"))
    .action(async (methodText: string, word: string | undefined, options: { readonly output: StructuredForm }) => {
      const session = open(command);
      const json = await readRequest(session, word);
      using reflection = new ReflectionClient(await session.connect(), { signal: session.io.signal });
      const { method, registry } = await findMethod(reflection, methodText);
      const printer = new MessagePrinter(method.output, reflection, registry);
      const raw = rawMethod(method);
      const request = encodeRequest(method, json, registry);
      const connection = await session.connect();
      if (method.methodKind === "unary") {
        const looks = /^(?:Get|List)/.test(method.name);
        if (!looks) await session.nameContext();
        const response = await connection.unary(
          raw,
          request,
          looks ? session.readOptions() : session.callOptions(60_000),
        );
        await session.printJson(options.output, await printer.toJson(response));
        return;
      }
      const { signal } = session.io;
      for await (const response of connection.stream(raw, request, { signal })) {
        await session.printItem(options.output, await printer.toJson(response));
      }
    });
  withExamples(
    command,
    "zor api call HostService/ListHosts",
    `zor api call InstanceService/StartInstance '{"name": "hosts/alpha/instances/vm1"}'`,
    `zor api call WatchService/Watch '{"kinds": ["link"]}'`,
  );
}

async function readRequest({ given }: Session, word: string | undefined): Promise<JsonValue> {
  let source = word ?? "{}";
  if (word === "-") source = await readGiven("json", word, given);
  else if (word?.startsWith("@") === true) source = await readGiven("json", word.slice(1), { signal: given.signal });
  try {
    return JSON.parse(source) as JsonValue;
  } catch (error) {
    throw invalidArgument("json", `the request is not JSON: ${messageOf(error)}`);
  }
}

async function findMethod(
  reflection: ReflectionClient,
  text: string,
): Promise<{ readonly method: DescMethod; readonly registry: FileRegistry }> {
  const split = text.lastIndexOf("/") >= 0 ? text.lastIndexOf("/") : text.lastIndexOf(".");
  if (split <= 0)
    throw invalidArgument("method", `${quote(text)} does not have the form SERVICE/METHOD; see: zor api list`);
  const service = await fullSymbol(reflection, text.slice(0, split).replace(/^\//, ""), false);
  const registry = await reflection.describe(service);
  const methods = registry.getService(service)?.methods ?? [];
  const wanted = text.slice(split + 1);
  const method = methods.find(({ name }) => name === wanted);
  if (method === undefined) {
    const near = nearest(
      wanted,
      methods.map(({ name }) => name),
    );
    throw notFound(`method ${service}/${wanted}`, near === undefined ? "see: zor api list" : `did you mean ${near}?`);
  }
  if (method.methodKind === "unary" || method.methodKind === "server_streaming") return { method, registry };
  throw invalidArgument("method", `${service}/${wanted} takes a stream of requests; use zor console or zor exec`);
}

/** The full name of a service written without its package, or of any other symbol, which defaults to zor.v1. */
async function fullSymbol(reflection: ReflectionClient, text: string, anySymbol: boolean): Promise<string> {
  const services = await reflection.listServices();
  const found = services.filter((name) => name === text || name.endsWith(`.${text}`));
  const [service] = found;
  if (service !== undefined && (found.length === 1 || service === text)) return service;
  if (found.length > 1) throw invalidArgument("service", `${quote(text)} could be ${found.join(" or ")}`);
  if (anySymbol) return text.includes(".") ? text : `zor.v1.${text}`;
  const near = nearest(
    text,
    services.flatMap((name) => [name, name.slice(name.lastIndexOf(".") + 1)]),
  );
  throw notFound(`service ${text}`, near === undefined ? "see: zor api list" : `did you mean ${near}?`);
}

/** Writes messages as JSON. Types of what is packed into them are asked for when they are met. */
class MessagePrinter {
  readonly #type: DescMessage;
  readonly #reflection: ReflectionClient;
  #registry: FileRegistry;

  constructor(type: DescMessage, reflection: ReflectionClient, registry: FileRegistry) {
    this.#type = type;
    this.#reflection = reflection;
    this.#registry = registry;
  }

  /** @throws {ZorError} NOT_FOUND when the server does not know the type of something packed. */
  async toJson(bytes: Uint8Array): Promise<JsonValue> {
    for (const asked = new Set<string>(); ; ) {
      try {
        // The type of this registry's own: types of different registries do not mix.
        const type = this.#registry.getMessage(this.#type.typeName) ?? this.#type;
        return toJson(type, fromBinary(type, bytes), { registry: this.#registry });
      } catch (error) {
        const missing = /"[^"]*?([\w.]+)" is not in the type registry/.exec(messageOf(error))?.[1];
        if (missing === undefined || asked.has(missing)) throw error;
        asked.add(missing);
        this.#registry = await this.#reflection.describe(this.#type.typeName, missing);
      }
    }
  }
}

/** A method whose messages stay bytes. */
function rawMethod(method: DescMethod): Method<Uint8Array, Buffer> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestSerialize: (bytes) => Buffer.from(bytes),
    responseDeserialize: (bytes) => bytes,
  };
}

function encodeRequest(method: DescMethod, json: JsonValue, registry: FileRegistry): Uint8Array {
  try {
    return toBinary(method.input, fromJson(method.input, json, { registry }));
  } catch (error) {
    throw invalidArgument("json", `${messageOf(error)}; see: zor api describe ${method.input.typeName}`);
  }
}
