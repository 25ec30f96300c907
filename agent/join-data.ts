import { join } from "node:path";
import { z } from "zod";
import { readTwinFile, writeTwinFile } from "./twin-file.js";

const schema = z.object({
  host: z.string(),
  hubAddresses: z.array(z.string()),
  hubReverseAddresses: z.array(z.string()),
  listen: z.array(z.string()),
  underlay: z.array(z.string()),
  dialOut: z.boolean(),
  undialable: z.boolean(),
});

/** What an agent remembers of joining: where the hub is, and how the host was registered. */
export type JoinData = z.output<typeof schema>;

/** Writes the data down, twice. */
export async function saveJoinData(stateDirectory: string, data: JoinData): Promise<void> {
  await writeTwinFile(pathOf(stateDirectory), `${JSON.stringify(data, undefined, 2)}\n`);
}

/** Reads the data; undefined when the agent never joined or both copies are damaged. Damaged ones are set aside and told. */
export async function findJoinData(
  stateDirectory: string,
  onDamage: (message: string) => void,
): Promise<JoinData | undefined> {
  return readTwinFile(pathOf(stateDirectory), (text) => schema.parse(JSON.parse(text)), onDamage);
}

function pathOf(stateDirectory: string): string {
  return join(stateDirectory, "join.json");
}
