import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import type { Command } from "../../kit/keys/command.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { targetsOf } from "../../kit/screen.js";
import { openEdit, openNew } from "../form/open.js";
import type { Program } from "../program.js";
import { rowHere } from "../row-here.js";
import { type CableEnd, canEnd, endText, freeEnds, joiningOf } from "./joining.js";

/** Marks an end of a cable; with one marked, draws the cable from there to this one. */
export function markEnd(program: Program, row: Row): void {
  const { cabling, model } = program;
  chooseEnd(program, row, (end) => {
    const from = cabling.end;
    if (from === undefined) {
      cabling.mark(end);
      model.say(`cable from ${endText(end)}: go to the other end, and W there draws it; esc on the map drops it`);
      return;
    }
    cabling.drop();
    join(program, from, end);
  });
}

/** Draws a cable between two things. */
function joinRows(program: Program, one: Row, other: Row): void {
  program.cabling.drop();
  chooseEnd(program, one, (a) => chooseEnd(program, other, (b) => join(program, a, b)));
}

/** The commands that draw cables. */
export function cableCommands(program: Program): readonly Command[] {
  const { model } = program;
  return [
    {
      keys: ["W"],
      words: ["cable"],
      ofRow: true,
      title: "mark an end of a new cable; on another thing: draw it from there to here",
      group: "Act",
      changes: true,
      when: () => canEnd(model.fleet, model.screen.kind?.kind ?? ""),
      run: () => {
        const row = rowHere(model, "draw a cable from");
        if (row !== undefined) markEnd(program, row);
      },
    },
    {
      keys: [],
      words: ["join"],
      title: "draw a cable between the two marked rows",
      group: "Act",
      changes: true,
      run: () => {
        const [one, other, ...more] = targetsOf(model.screen);
        const fits = one !== undefined && other !== undefined && more.length === 0;
        if (fits && canEnd(model.fleet, one.kind)) joinRows(program, one, other);
        else model.say("mark the two ends first, with space; ends of different kinds with W", "warn");
      },
    },
  ];
}

/** The free end of a thing; asks where there are several. */
function chooseEnd({ model }: Program, row: Row, go: (end: CableEnd) => void): void {
  const ends = freeEnds(model.fleet, row);
  const [only] = ends;
  if (only === undefined) {
    const what = shortName(row.name);
    model.say(`${what} has no place that is free: E changes what is plugged in where, and adds interfaces`, "warn");
  } else if (ends.length === 1) {
    go(only);
  } else {
    model.prompt = {
      type: "input",
      text: "",
      title: `which interface of ${shortName(row.name)}`,
      choices: ends.map(({ word }) => word),
      go: (text) => {
        const end = ends.find(({ word }) => word === text);
        if (end === undefined)
          throw invalidArgument("interface", `it is one of ${ends.map(({ word }) => word).join(", ")}`);
        go(end);
      },
    };
  }
}

function join(program: Program, a: CableEnd, b: CableEnd): void {
  const joining = joiningOf(program.model.fleet, a, b);
  if (joining.type === "none") program.model.say(joining.why, "warn");
  else if (joining.type === "plug") openEdit(program, joining.row, joining.json);
  else openNew(program, kindNamed(joining.kind), joining.filled);
}
