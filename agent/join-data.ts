import { join } from "node:path";
import { z } from "zod";
import { readIfExists, setAside, writeFileAtomic } from "../lib/files.js";

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

/** Writes the data down. */
export async function saveJoinData(stateDirectory: string, data: JoinData): Promise<void> {
  await writeFileAtomic(pathOf(stateDirectory), `${JSON.stringify(data, undefined, 2)}\n`);
}

/** Reads the data; undefined when the agent never joined or the file is damaged, which is then set aside. */
export async function findJoinData(stateDirectory: string): Promise<JoinData | undefined> {
  const text = await readIfExists(pathOf(stateDirectory));
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    await setAside(pathOf(stateDirectory), new Date());
    return undefined;
  }
}

function pathOf(stateDirectory: string): string {
  return join(stateDirectory, "join.json");
}
