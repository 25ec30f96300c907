import { parseDuration, toDuration } from "../../../lib/duration.js";
import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { Expose } from "../../../proto/gen/zor/v1/expose.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { type Flag, type FlagValues, flagText, type KindCommands } from "../../kit/kind-commands.js";
import { idOf, shortName } from "../../kit/resource-name.js";
import { serverText } from "./server-text.js";

const liveFlags: readonly Flag[] = [
  { flags: "--to <ip>", help: "address that the server listens on (default: as of zor port-forward)" },
  { flags: "--nic <name>", help: "come through the lan of this NIC, not from inside" },
  { flags: "--max-connections <count>", help: "most connections at a time, up to 1024 (default: 256)" },
  { flags: "--idle-timeout <time>", help: "close a connection that is silent for so long (default: 24h)" },
];

/** What the command line can say of exposes. */
export const exposeCommands: KindCommands<Expose> = {
  create: {
    description:
      "Lead a TCP port of the hub's machine to a server inside an instance, until it is deleted. The instance needs no address; UDP is not carried.",
    words: [{ word: "<server>", help: "INSTANCE:PORT, for example alpha/web:80", kind: "instance" }],
    flags: [
      { flags: "--listen <[address:]port>", help: "where the hub listens (default: a free port of 127.0.0.1)" },
      { flags: "--name <name>", help: "name of the expose (default: of instance and port, web-80)" },
      ...liveFlags,
    ],
    note: `Where exposes may listen says the hub's setting exposeListen; by default that is
127.0.0.1, at ports from 1024. Whoever reaches that port reaches the server: no
role is asked for there. The instance is known by its identity: another one that
gets its name later is not reached.`,
    examples: ["alpha/web:80", "alpha/web:80 --listen 127.0.0.1:8080 --name web", "db alpha/db:5432 --nic eth1"],
    nameOf: ([server = ""], values) => flagText(values, "name") ?? usualName(server),
    read: async ({ name, words: [server = ""], values, resolve }) => {
      const said = flagText(values, "name");
      if (said !== undefined && said !== idOf(name))
        throw invalidArgument("--name", "says another name than the words");
      const { instance, port } = readServer(server);
      const listen = readListen(flagText(values, "listen"));
      return { spec: { instance: await resolve("instance", instance), port, listen, ...readLive(values).spec } };
    },
    done: ({ name, resource }) => `${resource?.status?.listen ?? ""} of the hub -> ${leadsTo(name, resource)}`,
  },
  set: {
    description: "Change which server an expose leads to, and its limits, for connections that come from then on.",
    flags: [
      { flags: "--port <port>", help: "port that the server listens on" },
      ...liveFlags,
      { flags: "--no-to", help: "as of zor port-forward" },
      { flags: "--no-nic", help: "come from inside" },
    ],
    examples: ["web --port 8080", "web --max-connections 16 --idle-timeout 5m"],
    read: ({ values }) => {
      const { spec, paths } = readLive(values);
      const text = flagText(values, "port");
      const port = text === undefined ? {} : { port: parseWhole("--port", text, 1, 65_535) };
      const cleared = [
        ...(text === undefined ? [] : ["port"]),
        ...(values["to"] === false ? ["address"] : []),
        ...(values["nic"] === false ? ["nic"] : []),
      ];
      return { resource: { spec: { ...spec, ...port } }, paths: [...paths, ...cleared].map((path) => `spec.${path}`) };
    },
  },
};

function leadsTo(name: string, expose: Expose | undefined): string {
  return `${expose === undefined ? "" : serverText(expose)} (expose ${shortName(name)})`;
}

/** "web-80" of "alpha/web:80". */
function usualName(server: string): string {
  const { instance, port } = readServer(server);
  return `${idOf(instance)}-${port}`;
}

function readServer(text: string): { readonly instance: string; readonly port: number } {
  const at = text.lastIndexOf(":");
  if (at < 1)
    throw invalidArgument("server", `${quote(text)} does not have the form INSTANCE:PORT, as in alpha/web:80`);
  return { instance: text.slice(0, at), port: parseWhole("server", text.slice(at + 1), 1, 65_535) };
}

function readListen(text: string | undefined): string {
  if (text === undefined) return "";
  return text.includes(":") ? text : `127.0.0.1:${parseWhole("--listen", text, 0, 65_535)}`;
}

/** What can be said at any time, with the fields that it is of. */
function readLive(values: FlagValues): { readonly spec: object; readonly paths: readonly string[] } {
  const [address, nic] = [flagText(values, "to"), flagText(values, "nic")];
  const [most, idle] = [flagText(values, "maxConnections"), flagText(values, "idleTimeout")];
  const idleMs = idle === undefined ? undefined : parseDuration(idle);
  if (idle !== undefined && idleMs === undefined)
    throw invalidArgument("--idle-timeout", `${quote(idle)} is not a time such as 30s or 5m`);
  const parts: readonly (readonly [path: string, value: object])[] = [
    ...(address === undefined ? [] : [["address", { address }] as const]),
    ...(nic === undefined ? [] : [["nic", { nic }] as const]),
    ...(most === undefined
      ? []
      : [["max_connections", { maxConnections: parseWhole("--max-connections", most, 0, 1024) }] as const]),
    ...(idleMs === undefined ? [] : [["idle_timeout", { idleTimeout: toDuration(idleMs) }] as const]),
  ];
  return { spec: Object.assign({}, ...parts.map(([, value]) => value)) as object, paths: parts.map(([path]) => path) };
}
