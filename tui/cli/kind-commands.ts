import type { Kind } from "../../lib/kinds/kinds.js";
import { tuiKinds } from "../kinds/index.js";
import type { KindCommands } from "../kit/kind-commands.js";

/** What a kind adds to the commands that go with all kinds; nothing for kinds that say nothing. */
export async function commandsOf({ singular }: Kind): Promise<KindCommands> {
  return (await tuiKinds.find(({ kind }) => kind === singular)?.commands?.()) ?? {};
}
