import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { installationRoot, programPath } from "../../../lib/program.js";
import { loadContext, saveContext } from "../../../tui/client/contexts.js";
import { spawnOwned } from "../../helpers/owned.js";
import { CliFleet } from "../../integration/cli/fleet.js";

// Each shell itself completes a line, with the program as it is installed and a hub that answers. Needs bash, zsh and fish.

let fleet: CliFleet;
let directory: string;
beforeAll(async () => {
  if (!existsSync(programPath("cli"))) throw new Error("dist/cli.cjs is missing: npm run build");
  fleet = await CliFleet.create();
  directory = await mkdtemp(join(tmpdir(), "zt-shells-"));
  for (const shell of ["bash", "zsh", "fish"]) {
    const { stdout } = await run(["zor", "completion", shell]);
    await writeFile(join(directory, shell), stdout);
  }
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function run(
  [file = "", ...argv]: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const PATH = `${installationRoot}:${process.env["PATH"] ?? ""}`;
  const env = { PATH, HOME: directory, TERM: "dumb", ...fleet.env(), ...more };
  const child = spawnOwned(file, argv, { env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise((resolve) => child.once("close", resolve)),
  ]);
  return { code, stdout, stderr };
}

/** How each shell is made to complete words, and print what it would offer. */
const shells: Readonly<Record<string, (words: readonly string[]) => readonly string[]>> = {
  bash: (words) => [
    ...["bash", "--norc", "-c"],
    `source ${join(directory, "bash")}; COMP_WORDS=(${["zor", ...words].map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}; __zor_complete; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  // What its completion system would draw is printed instead.
  zsh: (words) => [
    ...["zsh", "-f", "-c"],
    `compdef() { :; }; compadd() { :; }; _describe() { local name=$2; print -l -- "\${(@P)name}"; }; source ${join(directory, "zsh")}; words=(${["zor", ...words].map((word) => `'${word}'`).join(" ")}); CURRENT=${words.length + 1}; _zor`,
  ],
  fish: (words) => ["fish", "-N", "-c", `source ${join(directory, "fish")}; complete -C'zor ${words.join(" ")}'`],
};

async function offered(shell: string, words: readonly string[], env?: Readonly<Record<string, string>>) {
  const { stdout, stderr } = await run(shells[shell]?.(words) ?? [], env);
  expect(stderr).toBe("");
  // Descriptions come after a tab, or a colon.
  return stdout
    .split("\n")
    .map((line) => line.split(/[\t:]/)[0] ?? "")
    .filter((line) => line !== "");
}

describe.each(Object.keys(shells))("completion in %s", (shell) => {
  it("offers commands, kinds and the names of what there is now", async () => {
    expect(await offered(shell, ["sta"])).toEqual(expect.arrayContaining(["start", "stats"]));
    expect(await offered(shell, ["get", "ins"])).toContain("instances");
    expect(await offered(shell, ["start", "al"])).toContain("alpha/vm1");
    expect(await offered(shell, ["describe", "lan", "be"])).toContain("beta/lan1");
  });

  it("offers commands all the same, and says nothing, when no hub is there or it does not answer", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void silent.close());
    await new Promise((resolve) => silent.once("listening", resolve));
    const address = silent.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const away = join(directory, `away-${shell}`);
    const { identityDirectory, serverName } = await loadContext({ env: fleet.env(), name: "admin" });
    await saveContext(away, { name: "away", addresses: [`127.0.0.1:${port}`], serverName, identityDirectory }, true);
    for (const env of [{ ZOR_CONFIG: away }, { ZOR_CONFIG: join(directory, "nothing") }]) {
      expect(await offered(shell, ["sta"], env)).toContain("start");
      expect((await offered(shell, ["start", "alp"], env)).filter((word) => word.startsWith("alpha/"))).toEqual([]);
    }
  });
});
