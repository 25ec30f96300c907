import { globSync, readFileSync } from "node:fs";
import { Command, type Option } from "commander";
import { beforeAll, describe, expect, it } from "vitest";
import { allKinds } from "../../../lib/kinds/kinds.js";
import {
  asResourceList,
  dryRunOption,
  noWaitOption,
  ResourceArgument,
  selectorOption,
  waitOption,
  yesOption,
} from "../../../tui/cli/command.js";
import { commandTree, wordsOf } from "./command-tree.js";

const shared: readonly Option[] = [
  dryRunOption(),
  yesOption(),
  waitOption(),
  noWaitOption(),
  selectorOption(),
  ...asResourceList(new Command(), "state = READY").options,
];

/** Options that are called like a shared one, and are something else. */
const others: ReadonlySet<string> = new Set([
  // A filter of frames, in tcpdump's language and with its letter there.
  "capture --filter",
]);

/** Words that other programs have for what has a word here. */
const strangers = new Map([
  ["--output-format", "--output"],
  ["--no-header", "--no-headers"],
  ["--noheaders", "--no-headers"],
  ["--sort", "--sort-by"],
  ["--sortby", "--sort-by"],
  ["--dryrun", "--dry-run"],
  ["--check", "--dry-run"],
  ["--assume-yes", "--yes"],
  ["--non-interactive", "--yes"],
  ["--label-selector", "--selector"],
  ["--background", "--no-wait"],
  ["--detached", "--no-wait"],
  ["--deadline", "--timeout"],
]);

/** Commands that take several names and are not told what is meant by what it is like, and why. */
const namedOnly = new Map([
  ["attach", "each instance has its own NIC and lan there"],
  ["detach", "as attach"],
  ["create instance", "what is made is not there yet"],
  ["capture", "the words are one target and its NIC"],
  ["image push", "the hosts are where one image goes"],
]);

let tree: readonly Command[];
beforeAll(async () => {
  tree = await commandTree();
}, 300_000);

describe("what means the same is called the same in every command", () => {
  it("shared options are those of one definition", () => {
    const wrong = tree.flatMap((command) =>
      command.options.flatMap((option) => {
        const own = shared.find(({ long }) => long === option.long);
        if (others.has(`${wordsOf(command)} ${option.long}`)) return [];
        const isSame = own === undefined || own.flags.replace(/<.*/, "") === option.flags.replace(/<.*/, "");
        return isSame ? [] : [`${wordsOf(command)}: ${option.flags}, elsewhere ${own?.flags}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it("no command has another word for one of them", () => {
    const wrong = tree.flatMap((command) =>
      command.options.flatMap((option) => {
        const word = option.hidden ? undefined : strangers.get(option.long ?? "");
        return word === undefined ? [] : [`${wordsOf(command)}: ${option.long} is ${word} elsewhere`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it("what waits can be told to wait and not to", () => {
    for (const command of tree) {
      const flags = command.options.map(({ long }) => long);
      expect({ command: wordsOf(command), wait: flags.includes("--wait") }).toEqual({
        command: wordsOf(command),
        wait: flags.includes("--no-wait") || ownWait.has(wordsOf(command)),
      });
    }
  });

  it("--timeout is an option of the program alone", () => {
    const own = tree.filter((command) => command.options.some(({ long }) => long === "--timeout")).map(wordsOf);
    expect(own).toEqual([]);
  });
});

/** Commands that have a --wait of their own without a --no-wait. */
const ownWait: ReadonlySet<string> = new Set();

const listWords = ["--output", "--columns", "--no-headers", "--sort-by"];
const resourceWords = [...listWords, "--filter", "--selector", "--order-by", "--label-columns", "--watch"];

/** Commands that list resources of the API. */
const isResourceList = (words: string): boolean => words === "get" || nouns.some((noun) => words === `${noun} list`);
/** Nouns of what the API lists, which have commands of their own. */
const nouns = ["backup", "host", "image", "lan", "link", "session", "snapshot", "volume", "wave"];
/** Commands that print lines as they come: they have no end to lay out, sort or count. */
const streams = ["events", "logs", "link watch", "top", "capture", "console", "exec", "cp"];

describe("commands that print lists", () => {
  it("take the options of lists, all of them", () => {
    for (const command of tree) {
      const flags = command.options.map(({ long }) => long ?? "");
      const isList =
        /(?:^| )(?:get|list|ls)$/.test(wordsOf(command)) ||
        listWords.some((word) => word !== "--output" && flags.includes(word));
      if (!isList || streams.includes(wordsOf(command))) continue;
      const missing = (isResourceList(wordsOf(command)) ? resourceWords : listWords).filter(
        (word) => !flags.includes(word),
      );
      expect({ command: wordsOf(command), missing }).toEqual({ command: wordsOf(command), missing: [] });
    }
  });

  it("print them through the one layer: nothing else lays tables out", () => {
    const layer = /^tui\/cli\/output\/(?:print-list|show-rows|table)\.ts$/;
    const others = globSync("tui/cli/**/*.ts")
      .filter((file) => !layer.test(file))
      .filter((file) => /new Table[<(]/.test(readFileSync(file, "utf8")));
    expect(others).toEqual([]);
  });

  it("are those of every noun that has commands", () => {
    const groups = tree.filter(({ parent, commands }) => parent?.name() === "zor" && commands.length > 0);
    const ofKinds = groups.filter(
      (group) => group.name() === "wave" || allKinds().some((kind) => kind.singular === group.name()),
    );
    expect(ofKinds.map(wordsOf).sort()).toEqual(nouns);
    const without = ofKinds.filter(({ commands }) => !commands.some((command) => command.name() === "list"));
    expect(without.map(wordsOf)).toEqual([]);
  });

  it("offer every form", () => {
    for (const command of tree.filter((each) => isResourceList(wordsOf(each)))) {
      const output = command.options.find(({ long }) => long === "--output");
      expect(output?.argChoices).toEqual([
        ...["table", "wide", "json", "yaml", "csv", "name"],
        ...["jsonpath=EXPRESSION", "template=TEMPLATE"],
      ]);
    }
  });

  it("what acts on several resources takes --filter and --selector in their place", () => {
    const several = tree.filter(({ registeredArguments }) =>
      registeredArguments.some((argument) => argument instanceof ResourceArgument && argument.variadic),
    );
    const wrong = several.filter(
      ({ options }) => !["--filter", "--selector"].every((long) => options.some((option) => option.long === long)),
    );
    expect(wrong.map(wordsOf).sort()).toEqual([...namedOnly.keys()].sort());
  });
});
