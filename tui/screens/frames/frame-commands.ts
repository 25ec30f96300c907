import type { Command } from "../../kit/keys/command.js";
import { capturedKinds } from "../captures.js";
import type { Program } from "../program.js";
import { rowHere } from "../row-here.js";
import { FramesScreen } from "./frames-screen.js";

/** What shows frames, bound everywhere. */
export function frameCommands(program: Program): readonly Command[] {
  const { model } = program;
  return [
    {
      keys: ["ctrl-k"],
      words: ["frames", "captures"],
      ofRow: true,
      title: "live: the frames that pass what is under the cursor, decoded",
      group: "Look",
      when: () => capturedKinds.has(model.screen.kind?.kind ?? "") && !(model.screen instanceof FramesScreen),
      run: () => {
        const [row, { kind }] = [rowHere(model, "watch the frames of"), model.screen];
        if (row !== undefined && kind !== undefined) model.push(new FramesScreen(program, kind, row.name));
      },
    },
  ];
}
