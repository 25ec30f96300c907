import { findKind } from "../../../lib/kinds/kinds.js";
import { nearest } from "../../../lib/nearest.js";
import type { Command } from "../../kit/keys/command.js";
import type { Row } from "../../kit/row.js";
import type { Program } from "../program.js";
import { rowHere } from "../row-here.js";
import { canBe, openClone, openEdit, openNew } from "./open.js";

/** The commands that open forms. */
export function formCommands(program: Program): readonly Command[] {
  const { model } = program;
  const here = (): string | undefined => model.screen.kind?.kind;
  /** What the screen is about: one of that is made unless something else is asked for. */
  const makesHere = (): { readonly kind: string; readonly of: Row | undefined } =>
    model.screen.makes?.() ?? { kind: here() ?? "", of: model.screen.subject() };
  return [
    {
      keys: ["n"],
      words: ["new"],
      argument: "KIND",
      choices: () => model.kinds.all.map((each) => each.kind).filter((each) => canBe("create", each)),
      title: "make a new one, in a form: of the kind in view, or of KIND",
      group: "Act",
      hint: { word: "new", rank: 9, when: () => canBe("create", findKind(makesHere().kind)?.singular) },
      changes: true,
      run: ({ argument, chord }) => {
        const makes = makesHere();
        const word = argument === "" ? makes.kind : argument;
        const kind = findKind(word);
        if (kind !== undefined && canBe("create", kind.singular)) return openNew(program, kind, {}, { of: makes.of });
        if (chord !== "" || argument === "") {
          const nothing = makes.kind === "" ? "new what?" : `no ${makes.kind} is made in a form:`;
          return model.say(`${nothing} :new KIND makes one, for example :new lan`, "warn");
        }
        const near = nearest(
          word,
          model.kinds.all.map((each) => each.kind).filter((each) => canBe("create", each)),
        );
        model.say(
          `"${word}" is nothing that can be made here${near === undefined ? "" : `; did you mean ${near}?`}`,
          "warn",
        );
      },
    },
    {
      keys: ["E"],
      words: ["edit"],
      ofRow: true,
      title: "change it, in a form; E again: as YAML in the editor",
      group: "Act",
      hint: { word: "edit", rank: 9 },
      changes: true,
      when: () => canBe("update", here()),
      run: () => {
        const row = rowHere(model, "edit");
        if (row !== undefined) openEdit(program, row);
      },
    },
    {
      keys: ["C"],
      words: ["clone"],
      ofRow: true,
      title: "make another one like it, in a form",
      group: "Act",
      changes: true,
      when: () => canBe("create", here()),
      run: () => {
        const row = rowHere(model, "clone");
        if (row !== undefined) openClone(program, row);
      },
    },
  ];
}
