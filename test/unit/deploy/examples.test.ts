import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv2019 } from "ajv/dist/2019.js";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { runOwned } from "../../helpers/owned.js";

const root = join(import.meta.dirname, "../../..");
const example = async (name: string) => parse(await readFile(join(root, "deploy/examples", name), "utf8"));

/** What a schema says against a value; none: nothing. */
function checker(schemaName: string): (value: unknown) => readonly string[] {
  const text = readFileSync(join(import.meta.dirname, "schemas", schemaName), "utf8");
  const { $schema: _, ...schema } = JSON.parse(text, withoutIds) as Record<string, unknown>;
  // Formats are names there that their own programs read: "duration" of compose is "15s".
  const check = new Ajv2019({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
  return (value) => (check(value) ? [] : (check.errors ?? []).map((each) => `${each.instancePath} ${each.message}`));
}
/** Ids as drafts before the sixth wrote them, which nothing refers to. */
function withoutIds(key: string, value: unknown): unknown {
  return key === "id" && typeof value === "string" ? undefined : value;
}
const compose = checker("compose-spec.json");
const cloudConfig = checker("cloud-config.json");

it("every example is checked here", async () => {
  expect((await readdir(join(root, "deploy/examples"))).sort()).toEqual(["cloud-init.yaml", "compose.yaml"]);
});

it("the hub's compose file is one", async () => {
  const file = await example("compose.yaml");
  expect(compose(file)).toEqual([]);
  const { hub } = file.services;
  expect(compose({ ...file, services: { hub: { ...hub, volume: [] } } })).not.toEqual([]);
  expect(compose({ ...file, services: { hub: { ...hub, cap_drop: "ALL" } } })).not.toEqual([]);
});

it("what its hub keeps is a volume that is declared, and what it listens on is published", async () => {
  const { services, volumes } = await example("compose.yaml");
  const { command, ports, volumes: mounts } = services.hub;
  const [name = "", path = ""] = mounts[0].split(":");
  expect(Object.keys(volumes)).toContain(name);
  expect(command).toContain(`--state=${path}`);
  const published = ports.flatMap((each: string) => {
    const [first = "", last = first] = each.split(":").at(-1)?.split("-") ?? [];
    return Array.from({ length: Number(last) - Number(first) + 1 }, (_each, at) => Number(first) + at);
  });
  const listens = command.flatMap((each: string) => /^--[a-z-]*listen=.*:(\d+)$/.exec(each)?.[1] ?? []).map(Number);
  expect(listens.toSorted()).toEqual(published.toSorted());
  expect(listens).toHaveLength(4);
});

it("the host's cloud-init file is one, of known keys, with scripts that a shell reads", async () => {
  const file = await example("cloud-init.yaml");
  expect(cloudConfig(file)).toEqual([]);
  expect(cloudConfig({ ...file, write_files: [{ content: "no path" }] })).not.toEqual([]);
  expect(cloudConfig({ ...file, runcmd: "not a list" })).not.toEqual([]);
  const known = await readFile(join(import.meta.dirname, "schemas/cloud-config.json"), "utf8");
  for (const key of Object.keys(file)) expect(known).toContain(`"${key}":`);
  expect(await readFile(join(root, "deploy/examples/cloud-init.yaml"), "utf8")).toMatch(/^#cloud-config\n/);
  const scripts = file.write_files.filter(({ permissions }: { permissions: string }) => permissions === "0755");
  expect(scripts).toHaveLength(1);
  for (const { content, path } of scripts) {
    expect(await runOwned("sh", ["-n", "-c", content])).toMatchObject({ exitCode: 0, stderr: "" });
    // It is what is run, and by its path.
    expect(file.runcmd).toEqual([[path]]);
  }
});
