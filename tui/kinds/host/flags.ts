import { toDuration } from "../../../lib/duration.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import { parseAddress } from "../../kit/input/addresses.js";
import { parseDurationMs } from "../../kit/input/durations.js";
import { type Flag, flagText, flagTexts, type KindCommands } from "../../kit/kind-commands.js";
import { shortName } from "../../kit/resource-name.js";

const underlay: Flag = {
  flags: "--underlay <ip or name>",
  help: "where other hosts reach it for links; may be repeated",
  repeatable: true,
};

const via: Flag = {
  flags: "--via <ssh server>",
  help: "ssh://user@host that sees the addresses; the hub's file allows it",
};

/** What the command line can say of hosts. */
export const hostCommands: KindCommands<Host> = {
  changeable: ["labels", "annotations", "addresses", "underlay_addresses", "undialable", "via"],
  create: {
    description: "Register a host and print the token with which its agent joins. Admins only.",
    flags: [
      {
        flags: "--address <address>",
        help: "where the hub dials its agent; without one the agent dials the hub",
        repeatable: true,
      },
      underlay,
      via,
      { flags: "--undialable", help: "no other host can open a connection to it" },
      { flags: "--ttl <time>", help: "how long the token works, at most 24h (default: 15m)", besides: true },
    ],
    examples: ["gamma", "gamma --address 192.0.2.7:7443 --underlay 192.0.2.7 --ttl 1h"],
    read: ({ values }) => ({
      addresses: flagTexts(values, "address"),
      underlayAddresses: flagTexts(values, "underlay"),
      undialable: values["undialable"] === true,
      via: flagText(values, "via") ?? "",
    }),
    request: (values) => {
      const ttl = flagText(values, "ttl");
      return ttl === undefined ? {} : { tokenTtl: toDuration(parseDurationMs("--ttl", ttl)) };
    },
    // The token alone, for scripts.
    done: ({ response }) => String(Reflect.get(response, "joinToken")),
    notes: ({ name }) => [
      `host ${shortName(name)} registered; run on it, as root: zor agent join TOKEN`,
      "The token works once; it is not shown again.",
    ],
  },
  set: {
    description: "Change where a host is reached, and its labels. What is not said stays. Admins only.",
    flags: [
      {
        flags: "--address <address>",
        help: "where the hub dials its agent from now on; may be repeated",
        repeatable: true,
      },
      { flags: "--dial-out", help: "no address: the agent dials the hub", conflicts: "address" },
      underlay,
      { flags: "--agent-underlay", help: "the agent says where other hosts reach it", conflicts: "underlay" },
      { flags: "--undialable", help: "no other host can open a connection to it" },
      via,
      { flags: "--direct", help: "the hub dials it straight, not through an ssh server", conflicts: "via" },
      { flags: "--dialable", help: "other hosts can open connections to it", conflicts: "undialable" },
    ],
    examples: [
      "h1 --address 10.0.0.12:7443",
      "h1 --address h1.lab:7443 --underlay 10.1.0.12",
      "h1 --dial-out --undialable",
      "h1 --address 127.0.0.1:7443 --via ssh://ops@bastion.example",
    ],
    read: ({ values }) => {
      const addresses = flagTexts(values, "address").map((each) => parseAddress("--address", each));
      const underlayAddresses = flagTexts(values, "underlay");
      const { dialOut, agentUnderlay, undialable, dialable, direct } = values;
      const through = flagText(values, "via");
      return {
        resource: { addresses, underlayAddresses, undialable: undialable === true, via: through ?? "" },
        paths: [
          ...(dialOut === true || addresses.length > 0 ? ["addresses"] : []),
          ...(agentUnderlay === true || underlayAddresses.length > 0 ? ["underlay_addresses"] : []),
          ...(undialable === true || dialable === true ? ["undialable"] : []),
          ...(direct === true || through !== undefined ? ["via"] : []),
        ],
      };
    },
    done: ({ name, resource }) => {
      const { addresses = [], underlayAddresses = [], via: server = "" } = resource ?? {};
      const through = server === "" ? "" : ` through ${server}`;
      const dialled =
        addresses.length === 0 ? "its agent dials the hub" : `the hub dials ${addresses.join(", ")}${through}`;
      const reached = underlayAddresses.length === 0 ? "as its agent says" : `at ${underlayAddresses.join(", ")}`;
      return `host ${shortName(name)} changed: ${dialled}; other hosts reach it ${reached}`;
    },
  },
};
