import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runBehind } from "../../../../tui/client/run-program.js";
import { clipboardSequence } from "../../../../tui/kit/clipboard.js";
import { toRow } from "../../../../tui/kit/row.js";
import { textColumn } from "../../../../tui/kit/table/columns.js";
import { tableText } from "../../../../tui/kit/table/table-text.js";
import { pluginCall } from "../../../../tui/screens/plugins/plugin-run.js";
import { saveText } from "../../../../tui/session/save-text.js";
import { type Plugin, pluginSchema } from "../../../../tui/settings/plugin.js";
import { makeProgram, spell, type TestProgram, textOf } from "../program.js";
import { feedFleet, upsertWhole } from "../steps.js";

const vm0 = "hosts/alpha/instances/vm0";

function onInstances(session: Parameters<typeof makeProgram>[0] = {}): TestProgram {
  const made = makeProgram(session);
  feedFleet(made.model, { hosts: 2, instancesPerHost: 2, nowMs: made.model.nowMs });
  made.press("2");
  return made;
}

describe("copying", () => {
  it("takes name, row and YAML, from a menu or by a word", () => {
    const { model, done, press } = onInstances();
    press("ctrl-y");
    expect(textOf(model.screen)[0]).toMatch(/name +alpha\/vm0/);
    press(
      "enter",
      ":",
      ...spell("copy row"),
      "enter",
      ":",
      ...spell("copy yaml"),
      "enter",
      ":",
      ...spell("copy all"),
      "enter",
    );
    expect(done[0]).toBe("copy alpha/vm0");
    expect(done[1]).toMatch(/^copy (alpha\tvm0|vm0\talpha)\t/);
    expect(done[2]).toContain(`name: ${vm0}`);
    expect(model.notice?.text).toContain('"all" cannot be copied');
  });

  it.each([
    ["a terminal", {}, "\x1b]52;c;aGk=\x07"],
    ["tmux", { TMUX: "x" }, "\x1b]52;c;aGk=\x07\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\"],
    ["screen", { STY: "x" }, "\x1bP\x1b]52;c;aGk=\x07\x1b\\"],
  ])("speaks to %s", (_, env, sequence) => {
    expect(clipboardSequence("hi", env)).toBe(sequence);
  });

  it("sends nothing that is too long, and screen pieces that are not", () => {
    expect(clipboardSequence("x".repeat(100_000), {})).toBeUndefined();
    const pieces = clipboardSequence("x".repeat(2000), { STY: "x" })?.split("\x1b\\") ?? [];
    expect(pieces.length).toBeGreaterThan(3);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(768);
  });
});

describe("saving a table", () => {
  const column = textColumn<{ readonly text: string }>(
    { id: "text", title: "TEXT", importance: 1, min: 4, max: 9 },
    ({ text }) => text,
  );
  const rows = ["plain", 'a "b", c', "=1+1", "-rf", "-12", "\x1b[31m"].map((text, index) =>
    toRow("x", `xs/${index}`, { text }, 0),
  );
  const { context } = makeProgram().model;
  const inForm = (form: "csv" | "json" | "txt") => tableText(rows, { columns: [column], context, form });

  it("gives spreadsheets no formulas, and terminals nothing that acts on them", () => {
    expect(inForm("csv")).toBe('TEXT\r\nplain\r\n"a ""b"", c"\r\n\'=1+1\r\n\'-rf\r\n-12\r\n\x1b[31m\r\n');
    expect(JSON.parse(inForm("json"))).toContainEqual({ resource: "xs/1", text: 'a "b", c' });
    expect(inForm("txt")).toContain("\\x1b[31m");
  });

  it("never writes over a file unasked", async () => {
    const directory = await mkdtemp(join(tmpdir(), "zt-save-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const file = join(directory, "vms.csv");
    await writeFile(file, "old");
    const { model, program, press } = onInstances();
    Object.assign(program, { saveText });
    press(":", ...spell("save vms.pdf"), "enter");
    expect(model.notice?.text).toContain(".csv, .json, .txt");
    press("ctrl-s", ...spell(file), "enter");
    await expect.poll(() => model.prompt?.type).toBe("question");
    expect(await readFile(file, "utf8")).toBe("old");
    press("n", ":", ...spell(`save ${file}`), "enter");
    await expect.poll(() => model.prompt?.type).toBe("question");
    expect(await readFile(file, "utf8")).toBe("old");
    press("y");
    await expect.poll(() => model.notice?.text).toContain("4 rows saved");
    expect(await readFile(file, "utf8")).toMatch(/vm0/);
  });
});

function plugin(given: Partial<Plugin> & Pick<Plugin, "command">): Plugin {
  return pluginSchema.parse({ title: "t", ...given });
}

describe("plugins", () => {
  it("are run for what the cursor is on, with what is asked for first, and after consent", async () => {
    const { model, program, controller, done, press } = onInstances();
    const inputs = [{ name: "count", default: "3", choices: ["1", "3"] }];
    const given = {
      title: "ping it",
      kinds: ["instance"],
      keys: ["%"],
      command: ["ping", "-c{input.count}", "{id}"],
      inputs,
      confirm: true,
    };
    await program.settings.put("plugins", ["ping"], pluginSchema.parse(given));
    press("%");
    expect(model.prompt).toMatchObject({ type: "input", text: "3" });
    press("ctrl-u", "2", "enter");
    expect(model.notice?.text).toContain("one of 1, 3");
    press("%", "enter");
    expect(model.prompt).toMatchObject({ type: "question", title: "run ping -c3 vm0" });
    // Consent is not pasted.
    controller.paste("y");
    expect(done).toEqual([]);
    press("n");
    expect([model.prompt, model.notice?.text]).toEqual([undefined, "nothing done: ping was not confirmed"]);
    expect(done).toEqual([]);
    press("%", "enter", "y");
    await expect.poll(() => done).toEqual(['run ["ping","-c3","vm0"] alpha/vm0']);
    press("1", ":", ..."ping", "enter");
    expect(model.notice?.text).toContain("ping is for instance");
    press("?");
    expect(textOf(model.screen, 120, 400).join("\n")).toMatch(/% +ping it \(a plugin\)/);
  });

  it("are not there in read-only mode unless they change nothing", async () => {
    const { program, controller } = onInstances({ readOnly: true });
    await program.settings.put("plugins", ["look"], plugin({ command: ["w"], keys: ["%"], changes: false }));
    await program.settings.put("plugins", ["act"], plugin({ command: ["w"], keys: ["~"] }));
    const keys = controller.commands.flatMap((command) => command.keys);
    expect([keys.includes("%"), keys.includes("~")]).toEqual([true, false]);
  });

  it("show what they say when they run behind, and how they end", async () => {
    const { model, program, press } = onInstances();
    await program.settings.put(
      "plugins",
      ["uses"],
      plugin({ command: ["du", "{id}"], kinds: ["instance"], run: "background" }),
    );
    press(":", ..."uses", "enter");
    expect(model.screen.title()).toBe("uses alpha/vm0");
    await expect.poll(() => model.screen.draw(80, 20).facts?.[0]?.text).toContain("ended with 3");
    expect(textOf(model.screen)).toEqual([" ran du vm0", " \\x1b[31mred"]);
  });

  it("never take what a resource has for options or for words of a shell", () => {
    const { model } = onInstances();
    model.fleet.apply(upsertWhole({ name: vm0, labels: { evil: "--help", nasty: "; reboot $(id)" } }), model.nowMs);
    const row = model.fleet.find("instance", vm0);
    const call = (command: string[]) => pluginCall(plugin({ command }), { row, context: "demo", inputs: {} });
    expect(call(["echo", "{label.nasty}", "x{label.evil}"]).argv).toEqual(["echo", "; reboot $(id)", "x--help"]);
    expect(() => call(["echo", "{label.evil}"])).toThrow(/would take for an option/);
    expect(() => call(["echo", "{label.none}"])).toThrow(/there is no \{label.none\}/);
    expect(call(["sh", "-c", 'echo "$ZOR_NAME"']).environment).toMatchObject({
      ZOR_NAME: "alpha/vm0",
      ZOR_CONTEXT: "demo",
    });
  });

  it.each([
    [["sh", "-c", "echo {name}"]],
    [["/usr/bin/env", "bash", "-ec", "{label.x}"]],
    [["python3", "-c", "print('{name}')"]],
    [["ssh", "there", "ls {name}"]],
    [["ssh", "-p", "22", "root@{host}", "uptime"], true],
    [["ssh", "{host}", "ls", "{name}", "x"]],
    [["{name}"]],
  ])("are refused where a shell would read it: %j", (command, isFine = false) => {
    const result = pluginSchema.safeParse({ title: "t", command });
    expect(result.success).toBe(isFine);
  });

  it("run behind as programs with an environment, which end with the signal", async () => {
    const texts: string[] = [];
    const environment = { ZOR_NAME: "a b" };
    const code = await runBehind(["sh", "-c", 'echo "$ZOR_NAME"; exit 3'], (text) => texts.push(text), {
      remedy: "",
      environment,
    });
    expect([texts.join(""), code]).toEqual(["a b\n", 3]);
    const stop = new AbortController();
    const running = runBehind(["sh", "-c", "echo on; sleep 600"], () => stop.abort(), {
      remedy: "",
      signal: stop.signal,
    });
    expect(await running).not.toBe(0);
    await expect(runBehind(["/nonexistent"], () => undefined, { remedy: "install it" })).rejects.toThrow(
      /not on this machine; install it/,
    );
  });
});
