import { countedNames } from "../../../lib/counted-names.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { isRunning } from "../../kinds/operation/states.js";
import type { Command } from "../../kit/keys/command.js";
import { idOf } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Program } from "../program.js";
import { TableScreen } from "../table/table-screen.js";
import { WaveScreen } from "./wave-screen.js";

/** A wave of more than goes on at once is shown as soon as it has begun. */
const shownAbove = 8;

/** The commands, bound on every screen, that show waves. */
export function waveCommands(program: Program): readonly Command[] {
  const { model } = program;
  const isOnWave = (): boolean => isWave(model.screen.subject());
  return [
    {
      id: "wave.show",
      keys: ["w"],
      title: "the wave under the cursor: how each of what it is done to does; pause, resume, cancel it",
      group: "Look",
      hint: { word: "wave", rank: 4 },
      when: () => model.screen.kind?.kind === "operation" && isOnWave(),
      run: () => model.push(new WaveScreen(program, model.screen.subject()?.name ?? "")),
    },
    {
      keys: [],
      words: ["waves"],
      title: "what is or was done to many, the newest first: operations that are waves",
      group: "Look",
      run: () => model.openOnly(new TableScreen(program, "operation", undefined, { filter: "verb~^wave[.]" })),
    },
    {
      keys: [],
      words: ["wave"],
      argument: "[ID]",
      title: "a wave: the last one that runs, or of that id",
      group: "Look",
      choices: () => wavesOf(program).map(({ name }) => idOf(name)),
      run: ({ argument }) => {
        const all = wavesOf(program);
        const found = argument === "" ? all[0] : all.find(({ name }) => idOf(name) === argument);
        if (found === undefined)
          model.say(argument === "" ? "there is no wave" : `there is no wave ${argument}`, "warn");
        else model.push(new WaveScreen(program, found.name));
      },
    },
  ];
}

/** Shows a wave that was just begun where a person looks on; a small one is over before it is read, and only its keys are told. */
export function showBegunWave(program: Program, operation: string, names: readonly string[]): void {
  const { model } = program;
  if (names.length > shownAbove && model.prompt === undefined) model.push(new WaveScreen(program, operation));
  else model.say(`${countedNames(names)} in a wave; :wave shows it`);
}

/** All waves that are known, those that run first, the latest first. */
function wavesOf({ model: { fleet, kinds } }: Program): readonly Row<Operation>[] {
  if (kinds.find("operation") === undefined) return [];
  // Rows of this kind hold operations.
  const rows = [...fleet.rowsOf("operation")] as Row<Operation>[];
  const rank = ({ resource: { state, createTime } }: Row<Operation>): number =>
    (createTime?.getTime() ?? 0) + (isRunning(state) ? 1e13 : 0);
  return rows.filter(isWave).sort((a, b) => rank(b) - rank(a));
}

function isWave(row: Row | undefined): boolean {
  // Rows of this kind hold operations.
  return row?.kind === "operation" && (row.resource as Operation).verb.startsWith("wave.");
}
