import { globSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { findRule, kindNamed, ruledMethods } from "../../../lib/kinds/kinds.js";
import { kindsWith } from "../../../tui/cli/kinds.js";
import { commandOf, namedMethods } from "../../../tui/cli/method-commands.js";
import { commandTree, wordsOf } from "./command-tree.js";

/** Services without commands, and why. */
const exceptions: Readonly<Record<string, string>> = {
  "zor.agent.v1": "hubs and agents speak it with each other; people have no certificate for it",
};

let tree: ReadonlySet<string>;
let sources: string;
beforeAll(async () => {
  tree = new Set((await commandTree()).map(wordsOf));
  sources = globSync("tui/**/*.ts")
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
}, 300_000);

const methods = ruledMethods().map((path) => {
  const [, service = "", method = ""] = path.split("/");
  return { path, method, service, packageName: service.slice(0, service.lastIndexOf(".")), rule: findRule(path) };
});

describe("every method of the API", () => {
  it.each(methods.filter(({ packageName }) => exceptions[packageName] === undefined))(
    "$path has a command",
    ({ path, method, rule }) => {
      const verb = rule?.verb ?? "custom";
      const command = commandOf(path);
      expect(command, "a command in tui/cli/method-commands.ts").toBeDefined();
      if (verb === "custom") {
        expect(tree).toContain(command);
        expect(sources).toMatch(new RegExp(`\\.${method.charAt(0).toLowerCase()}${method.slice(1)}\\b`));
        return;
      }
      const [word = ""] = command?.split(" ") ?? [];
      expect(tree).toContain(word);
      expect(kindsWith(verb)).toContain(kindNamed(rule?.kind ?? ""));
      if (verb === "create" || verb === "update") expect(tree).toContain(command);
    },
  );

  it("of the table and of the exceptions is there", () => {
    const paths = new Set(methods.map(({ path }) => path));
    expect(namedMethods.filter((path) => !paths.has(path))).toEqual([]);
    const packages = new Set(methods.map(({ packageName }) => packageName));
    expect(Object.keys(exceptions).filter((name) => !packages.has(name))).toEqual([]);
  });
});
