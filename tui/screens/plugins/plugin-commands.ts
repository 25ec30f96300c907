import { messageOf } from "../../../lib/errors.js";
import type { Command } from "../../kit/keys/command.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Plugin } from "../../settings/plugin.js";
import { OutputScreen } from "../output/output-screen.js";
import type { Program } from "../program.js";
import { type PluginCall, pluginCall } from "./plugin-run.js";

/** A command for each plugin of the user. */
export function pluginCommands(program: Program): readonly Command[] {
  return Object.entries(program.settings.values.plugins).map(([word, plugin]) => ({
    id: `plugin.${word}`,
    keys: plugin.keys,
    words: [word],
    ofRow: plugin.kinds.length > 0,
    title: `${plugin.title} (a plugin)`,
    group: "Act",
    changes: plugin.changes,
    dangerous: plugin.confirm,
    when: () => plugin.kinds.length === 0 || plugin.kinds.includes(program.model.screen.kind?.kind ?? ""),
    whyNot: whyNot(word, plugin),
    run: () => begin(program, word, plugin),
  }));
}

function whyNot(word: string, { kinds }: Plugin): string {
  return `${word} is for ${kinds.join(", ")}: go to one first`;
}

function begin(program: Program, word: string, plugin: Plugin): void {
  const { model } = program;
  const row = plugin.kinds.length === 0 ? undefined : model.screen.subject();
  if (plugin.kinds.length > 0 && (row === undefined || !plugin.kinds.includes(row.kind))) {
    model.say(whyNot(word, plugin), "warn");
    return;
  }
  ask(program, { word, plugin, row, inputs: {} });
}

interface Asked {
  readonly word: string;
  readonly plugin: Plugin;
  readonly row: Row | undefined;
  readonly inputs: Readonly<Record<string, string>>;
}

/** Asks for the next thing that is to be said, then for the consent, then runs it. */
function ask(program: Program, asked: Asked): void {
  const { model } = program;
  const { word, plugin, row, inputs } = asked;
  const next = plugin.inputs.find(({ name }) => !Object.hasOwn(inputs, name));
  const about = row === undefined ? "" : ` ${shortName(row.name)}`;
  if (next !== undefined) {
    const { choices } = next;
    model.prompt = {
      ...{
        type: "input",
        text: next.default,
        title: `${word}${about}, ${next.label ?? next.name}`,
        choices: choices ?? [],
      },
      go: (text) => {
        if (choices !== undefined && !choices.includes(text)) {
          model.say(`it must be one of ${choices.join(", ")}; nothing was run`, "warn");
          return;
        }
        ask(program, { ...asked, inputs: { ...inputs, [next.name]: text } });
      },
    };
    return;
  }
  const call = callOf(program, asked);
  if (call === undefined) return;
  if (!plugin.confirm) {
    run(program, asked, call);
    return;
  }
  model.prompt = {
    ...{ type: "question", text: "", title: `run ${call.argv.join(" ")}` },
    yes: () => run(program, asked, call),
    no: () => model.say(`nothing done: ${word} was not confirmed`),
  };
}

function callOf({ model }: Program, { word, plugin, row, inputs }: Asked): PluginCall | undefined {
  try {
    return pluginCall(plugin, { row, context: model.session.context, inputs });
  } catch (error) {
    model.say(`${word} was not run: ${messageOf(error)}`, "warn");
    return undefined;
  }
}

function run(program: Program, { word, plugin, row }: Asked, call: PluginCall): void {
  const { model } = program;
  if (plugin.run === "background") {
    const title = row === undefined ? word : `${word} ${shortName(row.name)}`;
    model.push(new OutputScreen(program, title, (onText, signal) => program.runBehind(call, onText, signal)));
    return;
  }
  program.runInTerminal(call).then(
    (code) => {
      if (code === 0) model.say(`${word} has ended`);
      else model.say(`${word} has ended with ${code}`, "warn");
      model.changed();
    },
    (error: unknown) => {
      model.say(`${word} could not be run: ${messageOf(error)}`, "bad");
      model.changed();
    },
  );
}
