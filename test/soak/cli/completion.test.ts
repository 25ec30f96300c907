import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { installationRoot, programPath } from "../../../lib/program.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { loadContext, saveContext } from "../../../tui/client/contexts.js";
import { spawnOwned } from "../../helpers/owned.js";
import { freshName } from "../../helpers/run-tag.js";
import { Terminal } from "../../helpers/tmux.js";
import { CliFleet } from "../../integration/cli/fleet.js";

// Somebody types in each shell and presses Tab, with the program as it is installed and a hub that answers. Needs bash, zsh, fish and tmux.

const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];
/** A prompt that nothing else looks like. */
const prompt = "ready>";

/** The value of a label. */
const rude = "ana's `id` $HOME";

let fleet: CliFleet;
let directory: string;
beforeAll(async () => {
  if (!existsSync(programPath("cli"))) throw new Error("dist/cli.cjs is missing: npm run build");
  fleet = await CliFleet.create();
  const labels = { site: "paris", owner: rude };
  fleet.hub.put({ kind: "instance", value: Instance.fromPartial({ name: "hosts/beta/instances/web", labels }) });
  directory = await mkdtemp(join(tmpdir(), "zt-shells-"));
  for (const shell of shells) {
    const child = spawnOwned(join(installationRoot, "zor"), ["completion", shell], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await writeFile(join(directory, shell), await text(child.stdout));
  }
  // Completing is the program's, which may take its time on a busy machine; anything else shows what the shell makes of the line.
  const zor = join(installationRoot, "zor");
  const script = `#!/bin/sh\nif [ "$1" = complete ]; then exec '${zor}' $PATIENCE "$@"; fi\nprintf '<%s %s>\\n' "$#" "$*"\n`;
  await mkdir(join(directory, "bin"));
  await writeFile(join(directory, "bin", "zor"), script, { mode: 0o755 });
  // fish makes completions of all manual pages otherwise.
  await mkdir(join(directory, ".local/share/fish/generated_completions"), { recursive: true });
  await writeFile(join(directory, "bashrc"), `PS1='${prompt} '\nsource ${join(directory, "bash")}\n`);
  const system = `autoload -U compinit\ncompinit -u -d ${join(directory, "dump")}`;
  await writeFile(join(directory, ".zshrc"), `PS1='${prompt} '\n${system}\nsource ${join(directory, "zsh")}\n`);
  const words = `function fish_prompt; echo '${prompt} '; end; set -g fish_greeting; set -g fish_autosuggestion_enabled 0`;
  await writeFile(join(directory, "fishrc"), `${words}\nsource ${join(directory, "fish")}\n`);
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

/** A shell with a prompt, and a hub in its context. */
async function open(shell: Shell, config = fleet.configDirectory, patience = "--timeout 60s"): Promise<Terminal> {
  const start = { bash: "bash --rcfile bashrc -i", zsh: "ZDOTDIR=$PWD zsh -i", fish: "fish -i -C 'source fishrc'" };
  const env = `PATH=$PWD/bin:$PATH HOME=$PWD ZOR_CONFIG=${config} HISTFILE= PATIENCE='${patience}'`;
  const line = `cd ${directory} && export ${env} && unset XDG_CONFIG_HOME XDG_DATA_HOME && ${start[shell]}`;
  const terminal = await Terminal.open(line, { columns: 150, rows: 40 }, join(directory, freshName()));
  onTestFinished(() => terminal[Symbol.asyncDispose]());
  await terminal.sees(prompt);
  return terminal;
}

/** Types the beginning of a line and presses Tab, as often as said, until the screen shows what is wanted; the line is left behind. */
async function completed(terminal: Terminal, typed: string, wanted: RegExp, tabs = 1): Promise<void> {
  await type(terminal, typed);
  for (let tab = 0; tab < tabs; tab += 1) await terminal.press("Tab");
  await terminal.sees(wanted);
  await terminal.press("C-u");
  await terminal.press("C-l");
  await terminal.sees(new RegExp(`^\\s*${prompt} ?\\s*$`));
}

async function type(terminal: Terminal, typed: string): Promise<void> {
  await terminal.tmux("send-keys", "-l", "--", typed);
  await terminal.sees(typed.trimEnd());
}

describe.each(shells)("completion in %s", (shell) => {
  it("offers commands, kinds, options and the names of what there is now", async () => {
    const terminal = await open(shell);
    await completed(terminal, "zor sta", /start[\s\S]*stats/, 2);
    await completed(terminal, "zor get instan", /zor get instances/);
    await completed(terminal, "zor describe lan be", /zor describe lan beta\/lan1/);
    await completed(terminal, "zor get hosts --label-c", /--label-columns/);
    await completed(terminal, "zor get hosts --output=ya", /--output=yaml/);
  });

  it("goes on with queries, in open quotes and without, and keeps the quotes", async () => {
    const terminal = await open(shell);
    await completed(terminal, "zor query 'kind=kvm and st", /started/, 2);
    await completed(terminal, "zor query 'kind=kvm and state=runn", /'kind=kvm and state=running'/);
    await completed(terminal, 'zor get vms --filter "label.site=', /--filter "label\.site=paris"/);
    await completed(terminal, "zor get vms --filter label.site=", /--filter label\.site=paris/);
    await completed(terminal, "zor get vms --filter='state=runn", /--filter='?state=running'?/);
    await completed(terminal, "zor query kind=kvm and state=runn", /zor query kind=kvm and state=running/);
    await completed(terminal, "zor start -l site", /site!=/, 2);
    await completed(terminal, "zor wait beta/vm1 --for 'deleted", /--for 'deleted'/);
  });

  it.each(["'", '"', ""])(
    "puts values in as they are, whatever a shell would make of them, behind %j",
    async (quote) => {
      const terminal = await open(shell);
      await type(terminal, `zor query ${quote}label.owner=`);
      await terminal.press("Tab");
      await terminal.sees(/HOME\S*["'] *$/m);
      await terminal.press("Enter");
      // Without quotes the words of a query are several, which are put together again; fish makes one of what it completes.
      const words = quote === "" && shell !== "fish" ? 4 : 2;
      await terminal.sees(`<${words} query label.owner="${rude}">`);
    },
  );

  it("offers commands all the same, and says nothing, when no hub is there or it does not answer", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void silent.close());
    await new Promise((resolve) => silent.once("listening", resolve));
    const address = silent.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const away = join(directory, `away-${shell}`);
    const { identityDirectory, serverName } = await loadContext({ env: fleet.env(), name: "admin" });
    await saveContext(away, { name: "away", addresses: [`127.0.0.1:${port}`], serverName, identityDirectory }, true);
    for (const config of [away, join(directory, "nothing")]) {
      const terminal = await open(shell, config, "");
      await completed(terminal, "zor sta", /start[\s\S]*stats/, 2);
      await terminal.tmux("send-keys", "-l", "--", "zor start alp");
      await terminal.press("Tab");
      await terminal.tmux("send-keys", "-l", "--", "X");
      expect(await terminal.sees(/zor start alp ?X/)).not.toMatch(/alpha|rror/);
    }
  });
});
