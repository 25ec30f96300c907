import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { storeDirectory } from "../../../agent/images/store-paths.js";
import { hostServerName } from "../../../lib/tls/join.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { noise } from "../../helpers/image-imports.js";
import { type CliOptions, type CliResult, CliRun } from "../../helpers/zor-cli.js";
import { ApiFixture } from "../agent/api-fixture.js";

let fixture: ApiFixture;
let config: string;
const begin = (argv: readonly string[], options: CliOptions = {}) =>
  new CliRun(argv, { ...options, env: { ZOR_CONFIG: config } });
const zor = (...argv: readonly string[]): Promise<CliResult> => begin(argv).result;

beforeAll(async () => {
  fixture = await ApiFixture.start();
  config = join(fixture.directory, "config");
  const identityDirectory = join(fixture.directory, "ana");
  const subject = { kind: "user", id: "ana", role: Role.ROLE_OPERATOR } as const;
  await fixture.pki.issue(subject, { directory: identityDirectory });
  const context = { name: "h1", addresses: [fixture.address], serverName: hostServerName("h1"), identityDirectory };
  await saveContext(config, context, true);
});
afterAll(() => fixture.close());

it("imports, lists, describes, tags, verifies, exports, prunes and deletes images", async () => {
  const bytes = noise("cli", 1024 * 1024);
  const file = join(fixture.directory, "debian-12.img.gz");
  await writeFile(file, gzipSync(bytes));
  expect(await zor("image", "import", file, "--tag", "12", "--description", "for tests")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^image h1\/debian-12 imported: raw, 1M/),
  });
  const listed = await zor("image", "list");
  expect(listed.stdout).toMatch(/h1\/debian-12 +READY +raw/);
  expect((await zor("get", "images")).stdout).toBe(listed.stdout);
  expect((await zor("image", "inspect", "h1/debian-12")).stdout).toMatch(
    /description +for tests[\s\S]*nothing uses it/,
  );
  expect((await zor("image", "tag", "h1/debian-12", "stable")).stdout).toContain("has the tags 12, stable");
  expect((await zor("image", "tag", "h1/debian-12", "12", "--remove")).stdout).toContain("has the tags stable");
  expect((await zor("set", "image", "h1/debian-12", "--description", "other")).code).toBe(0);
  expect((await zor("image", "verify", "h1/debian-12")).stdout).toContain("h1/debian-12 is whole");
  const out = join(fixture.directory, "out.img");
  expect((await zor("image", "export", "h1/debian-12", out)).code).toBe(0);
  expect((await readFile(out)).equals(bytes)).toBe(true);
  expect((await zor("image", "export", "h1/debian-12", out)).stderr).toContain("--overwrite");
  expect((await zor("image", "prune", "--host", "h1", "--dry-run")).stdout).toMatch(/h1\/debian-12\nthat frees 1M/);
  expect((await zor("image", "rm", "h1/debian-12", "--yes")).stdout).toContain("h1/debian-12 deleted");
  expect((await zor("image", "push", "h1/gone", "h2")).code).not.toBe(0);
  expect((await zor("image", "build", "nothing")).stderr).toContain("is not a recipe");
});

it("takes what comes through a pipe, and says what is wrong with what it is given", async () => {
  const piped = begin(["image", "import", "-", "--name", "piped"], { input: "x".repeat(1024) });
  expect((await piped.result).stdout).toContain("image h1/piped imported: raw");
  const empty = join(fixture.directory, "empty.img");
  await writeFile(empty, "");
  for (const [argv, words] of [
    [["image", "import", "-"], "--name"],
    [["image", "import", empty], "is empty"],
    [["image", "import", join(fixture.directory, "none")], "no such file"],
    [["image", "import", fixture.directory], "pack a directory with tar"],
    [["image", "import", empty, "--limit", "fast"], "is not a rate"],
  ] as const) {
    const { code, stderr } = await zor(...argv);
    expect(stderr).toContain(words);
    expect(code).not.toBe(0);
  }
});

it("leaves nothing of an import that is interrupted", async () => {
  const file = join(fixture.directory, "slow.img");
  await writeFile(file, noise("slow", 2 * 1024 * 1024));
  const slow = begin(["image", "import", file, "--limit", "256k"]);
  const incoming = () => readdir(join(storeDirectory(fixture.state), ".incoming"));
  await expect.poll(incoming).toHaveLength(1);
  slow.interrupt();
  expect((await slow.result).code).not.toBe(0);
  await expect.poll(incoming).toEqual([]);
  expect((await zor("get", "images", "-o", "name")).stdout).not.toContain("slow");
});
