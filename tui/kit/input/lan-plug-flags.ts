import { type CommandInput, type Flag, flagText } from "../kind-commands.js";
import { idOf } from "../resource-name.js";
import { readPortFlag } from "./port-settings-flag.js";

/** How to say where something of a host is plugged in. */
export const lanPlugFlags: readonly Flag[] = [
  { flags: "--lan <lan>", help: "lan of the host that it is plugged into", kind: "lan" },
  { flags: "--port <fields>", help: "what the lan does with its frames, as of --nic: vlan=10; empty: nothing" },
];

/** How to say that it is plugged in nowhere. */
export const noLanFlag: Flag = { flags: "--no-lan", help: "take it out of its lan" };

/** Reads them, with the paths of the fields that they are of. @throws {ZorError} */
export async function readLanPlug({
  values,
  resolve,
}: Pick<CommandInput, "values" | "resolve">): Promise<{ readonly spec: object; readonly paths: readonly string[] }> {
  const [lan, port] = [flagText(values, "lan"), flagText(values, "port")];
  const isCleared = values["lan"] === false;
  return {
    spec: {
      ...(lan === undefined ? {} : { lan: idOf(await resolve("lan", lan)) }),
      ...(port === undefined ? {} : { portSettings: readPortFlag(port) }),
    },
    paths: [
      ...(lan !== undefined || isCleared ? ["spec.lan"] : []),
      ...(port === undefined ? [] : ["spec.port_settings"]),
    ],
  };
}
