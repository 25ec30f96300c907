import { kindNamed } from "../../../lib/kinds/kinds.js";
import type { Registrar } from "../command.js";
import { defineCreate } from "./create.js";

/** `zor expose SERVER`: the short form of `zor create expose`. */
export async function define({ program, open }: Registrar): Promise<void> {
  await defineCreate(program, open, kindNamed("expose"));
}
