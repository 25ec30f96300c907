import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, matchesGlob, relative } from "node:path";
import { describe, expect, it } from "vitest";
import vitestConfig from "../../../vitest.config.js";

const root = join(import.meta.dirname, "../../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const manifest = JSON.parse(read("package.json")) as {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};
const packages = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
const made = read(".gitignore")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => line.replaceAll("/", ""));

/** Everything that belongs to the project, as paths from its root. */
const files = readdirSync(root, { withFileTypes: true })
  .filter(({ name }) => ![".git", "node_modules", "dist", ".zor"].includes(name))
  .flatMap((top) =>
    top.isDirectory() ? readdirSync(join(root, top.name), { recursive: true, withFileTypes: true }) : [top],
  )
  .filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => relative(root, join(parentPath, name)));
const tests = files.filter((path) => /^test\/.*\.test\.tsx?$/.test(path));

interface Side {
  readonly path?: string | readonly string[];
  readonly pathNot?: string | readonly string[];
}
interface Rule {
  readonly name: string;
  readonly from: Side;
  readonly to: Side;
}

/** A pattern for each choice that a pattern with "(a|b)" in it leaves. */
function choices(pattern: string): string[] {
  const group = /\((?:\?:)?([^()]*\|[^()]*)\)(?!\?)/.exec(pattern);
  if (group === null) return [pattern];
  return (group[1] ?? "").split("|").flatMap((each) => choices(pattern.replace(group[0], () => each)));
}

describe("no rule is about what does not exist:", () => {
  const { forbidden } = createRequire(import.meta.url)(join(root, ".dependency-cruiser.cjs")) as {
    readonly forbidden: readonly Rule[];
  };
  const things = [...files, ...packages.map((name) => `node_modules/${name}/`), "child_process", "node:child_process"];

  it.each(forbidden.map((rule) => [rule.name, rule] as const))("%s", (_name, { from, to }) => {
    for (const pattern of [from.path, from.pathNot, to.path, to.pathNot].flat()) {
      if (pattern === undefined) continue;
      // What a group of "from" has matched.
      for (const choice of choices(pattern.replaceAll("$1", "[^/]+"))) {
        const matcher = new RegExp(choice);
        expect(
          things.some((thing) => matcher.test(thing)),
          `${pattern}: ${choice}`,
        ).toBe(true);
      }
    }
  });

  it("the search for dead code", () => {
    const { entry, project, ignoreDependencies } = JSON.parse(read("knip.json")) as Readonly<Record<string, string[]>>;
    for (const glob of [...(entry ?? []), ...(project ?? [])]) {
      expect(
        files.some((file) => matchesGlob(file, glob)),
        glob,
      ).toBe(true);
    }
    expect(packages).toEqual(expect.arrayContaining(ignoreDependencies ?? []));
  });

  it("the linter", () => {
    const { files: linted } = JSON.parse(read("biome.json")) as { readonly files: { readonly includes: string[] } };
    const left = linted.includes.filter((glob) => glob.startsWith("!")).map((glob) => glob.slice(1));
    for (const name of left) {
      const isThere = made.includes(name) || files.some((file) => file === name || file.startsWith(`${name}/`));
      expect(isThere, name).toBe(true);
    }
  });

  it("the build", () => {
    const script = read("deploy/bundles.mjs");
    for (const [, path = ""] of script.matchAll(/"((?:agent|hub|lib|tui|deploy)\/[^"]+)"/g))
      expect(files).toContain(path);
    const external = /external: \[([^\]]*)\]/.exec(script)?.[1] ?? "";
    for (const [, name = ""] of external.matchAll(/"([^"]+)"/g)) expect(packages).toContain(name);
  });

  it("the scripts of npm", () => {
    const projects = vitestConfig.test?.projects?.map((each) => projectOf(each).name) ?? [];
    for (const script of Object.values(manifest.scripts)) {
      for (const [, path = ""] of script.matchAll(/(?:node|bash) (\S+\/\S+)/g)) {
        const [, installed] = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
        if (installed === undefined) expect(files).toContain(path);
        else expect(manifest.devDependencies).toHaveProperty([installed]);
      }
      for (const [, name = ""] of script.matchAll(/--project '?([^\s']+)/g)) {
        expect(
          projects.some((project) => matchesGlob(project, name)),
          name,
        ).toBe(true);
      }
      for (const [, name = ""] of script.matchAll(/npm run (?:--silent )?([\w:]+)/g))
        expect(manifest.scripts).toHaveProperty([name]);
    }
  });
});

interface Project {
  readonly name: string;
  readonly include: readonly string[];
  readonly exclude?: readonly string[];
}

/** The part of a project's settings that says which files are its own. */
function projectOf(project: unknown): Project {
  return (project as { readonly test: Project }).test;
}

describe("every test", () => {
  const projects = vitestConfig.test?.projects?.map(projectOf) ?? [];
  const inside = (file: string, { include, exclude = [] }: Project): boolean =>
    include.some((glob) => matchesGlob(file, glob)) && !exclude.some((glob) => matchesGlob(file, glob));

  it("belongs to one project", () => {
    const homes = (file: string): string[] => projects.filter((each) => inside(file, each)).map(({ name }) => name);
    expect(tests.filter((file) => homes(file).length !== 1)).toEqual([]);
  });

  it("is meant by patterns that all match something", () => {
    for (const { name, include, exclude = [] } of projects) {
      for (const glob of [...include, ...exclude]) {
        expect(
          tests.some((file) => matchesGlob(file, glob)),
          `${name}: ${glob}`,
        ).toBe(true);
      }
    }
  });
});
