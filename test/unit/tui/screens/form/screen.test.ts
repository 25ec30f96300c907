import { describe, expect, it } from "vitest";
import { status } from "@grpc/grpc-js";
import { invalidArgument, ZorError } from "../../../../../lib/errors.js";
import { Lan } from "../../../../../proto/gen/zor/v1/lan.js";
import { Instance } from "../../../../../proto/gen/zor/v1/instance.js";
import { lineWidth } from "../../../../../tui/kit/text/segment.js";
import { FormScreen } from "../../../../../tui/screens/form/form-screen.js";
import { makeProgram, tableOf, type TestProgram } from "../../program.js";
import { feedFleet, upsert, upsertWhole } from "../../steps.js";

interface OnForm extends TestProgram {
  text(width?: number, height?: number): string;
  /** Waits until a form is on top. */
  formed(): Promise<void>;
}

function start(...keys: readonly string[]): OnForm {
  const made = makeProgram();
  const { model } = made;
  feedFleet(model, { hosts: 2, instancesPerHost: 2, nowMs: model.nowMs });
  made.press(...keys);
  return {
    ...made,
    text: (width = 80, height = 19) =>
      model.screen
        .draw(width, height)
        .lines.map(({ line }) =>
          line
            .map(({ text }) => text)
            .join("")
            .trimEnd(),
        )
        .join("\n"),
    formed: () => expect.poll(() => model.screen).toBeInstanceOf(FormScreen),
  };
}

const facts = ({ model }: TestProgram) =>
  model.screen
    .draw(80, 19)
    .facts?.map(({ text }) => text)
    .join("");

describe("a form on the screen", () => {
  it("makes what is typed, after the server was asked, and goes to its row", async () => {
    const made = start("3", "n");
    const { press, gateway, model, formed, text } = made;
    await formed();
    expect(model.screen.title()).toBe("new lan");
    expect(text()).toMatch(/❯ +host +alpha/);
    press("down", ..."lan9q", "down", ..."9000");
    expect(text()).toContain("Largest packet carried, in bytes");
    expect(text()).toContain("$ zor create lan alpha/lan9q --set spec.mtu=9000");
    await expect.poll(() => facts(made)).toContain("it would be taken");
    expect(gateway.checked.at(-1)).toMatchObject({ type: "create", name: "hosts/alpha/lans/lan9q" });
    press("ctrl-s");
    await expect.poll(() => model.screen.title()).toBe("lans");
    expect(gateway.sent).toHaveLength(1);
    expect(model.notice?.text).toBe("lan alpha/lan9q created");
  });

  it("names what it is begun from: an instance whose snapshot is taken, a lan that a nat leads out of", async () => {
    const { press, formed, text, model } = start("2", "ctrl-t", "n");
    await formed();
    expect(model.screen.title()).toBe("new snapshot");
    expect(text()).toMatch(/ host +alpha[\s\S]* instance +vm0/);
    press("esc", "esc", "3", ":", ..."new nat", "enter");
    await expect.poll(() => model.screen.title()).toBe("new nat");
    expect(text()).toMatch(/ lan +lan1/);
    press("esc");
    expect(model.screen.title()).toBe("lans");
  });

  it("takes letters for text and none of them for keys, pasted ones too", async () => {
    const { press, controller, formed, model, done, text } = start("3", "n");
    await formed();
    press("down", ..."q:?/nEC");
    controller.paste("x\ny");
    expect(text()).toContain("q:?/nECx");
    expect(done).toEqual([]);
    expect(model.screen.title()).toBe("new lan");
  });

  it("shows what the server says at the field it names, and stays", async () => {
    const made = start("3", "n");
    const { press, gateway, model, formed, text } = made;
    await formed();
    press("down", ..."lan9");
    gateway.refusal = invalidArgument("lan.spec.mtu", "is less than the host's");
    press("ctrl-s");
    await expect.poll(() => text()).toContain("✗ is less than the host's");
    expect(text()).toMatch(/❯✗mtu/);
    // Also where the cursor is elsewhere.
    press("up");
    expect(text()).toContain("✗ mtu: is less than the host's");
    press("down");
    expect(model.notice?.tone).toBe("bad");
    gateway.refusal = undefined;
    press(..."1500");
    await expect.poll(() => facts(made)).toContain("it would be taken");
  });

  it.each(["esc", "ctrl-c"])("asks before what was typed is lost by %s", async (key) => {
    const { press, model, formed } = start("3", "n");
    await formed();
    press("down", "a", key);
    expect(model.screen.draw(80, 19).aside).toContain("leave without saving");
    press("n");
    expect(model.screen.title()).toBe("new lan");
    press(key, "y");
    expect(model.screen.title()).toBe("lans");
  });

  it("is left at once where nothing was typed", async () => {
    const { press, model, formed } = start("3", "n");
    await formed();
    press("esc");
    expect(model.screen.title()).toBe("lans");
  });

  it("changes what is under the cursor, and previews it as YAML", async () => {
    const { press, model, formed, gateway, text } = start("3", "E");
    await formed();
    expect(model.screen.title()).toMatch(/^edit lan alpha\//);
    press("ctrl-u", ..."8000", "ctrl-p");
    expect(text()).toContain("mtu: 8000");
    expect(text()).toContain("$ zor set lan alpha/");
    press("esc", "ctrl-s");
    await expect.poll(() => gateway.sent).toMatchObject([{ type: "update", paths: ["spec.mtu"] }]);
  });

  it("is undone: what it changed gets the value of before, with a question where somebody changed it again", async () => {
    const { press, model, formed, gateway, program } = start("3", "E");
    await formed();
    press("ctrl-u", ..."8000", "ctrl-s");
    await expect.poll(() => program.requests.undo.all).toMatchObject([{ title: "change spec.mtu of lan alpha/lan1" }]);
    const [, step] = [...(program.requests.undo.all[0]?.steps ?? [])][0] ?? [];
    const become = (mtu: number, etag: string) => {
      const row = model.fleet.find("lan", "hosts/alpha/lans/lan1");
      const now = Lan.fromPartial({ ...(row?.resource as Lan), etag });
      const spec = { ...now.spec, mtu } as Lan["spec"];
      model.fleet.apply(upsert({ kind: "lan", value: { ...now, spec } }), model.nowMs);
      return model.fleet.find("lan", "hosts/alpha/lans/lan1") as never;
    };
    const first = become(1500, "e1");
    expect(step?.whyNot?.(first, model.fleet)).toBe("spec.mtu has the value of before");
    const other = become(1300, "e2");
    expect(step?.phraseFor?.(other)).toBe("y");
    expect(step?.effect(other, model.fleet)).toContain("not what it was changed to any more");
    const changed = become(8000, "e3");
    expect(step?.phraseFor?.(changed)).toBeUndefined();
    expect(step?.isDone?.(changed, changed)).toBe(false);
    expect(step?.isDone?.(changed, first)).toBe(true);
    await step?.run(changed, {} as never);
    expect(gateway.sent[1]).toMatchObject({ etag: "e3", paths: ["spec.mtu"], resource: { spec: { mtu: 1500 } } });
    press("ctrl-u");
    expect(gateway.calls).toContain("change back hosts/alpha/lans/lan1");
    expect(model.fleet.pendingOf("hosts/alpha/lans/lan1")?.verb).toBe("change back");
  });

  it("keeps what was typed where somebody else was faster, on top of what they made of it", async () => {
    const { press, model, formed, gateway, text } = start("3", "E");
    await formed();
    press("ctrl-u", ..."8000");
    const row = model.fleet.find("lan", "hosts/alpha/lans/lan1");
    const now = Lan.fromPartial({ ...(row?.resource as Lan), etag: "e2", spec: { mtu: 1500, rstp: true } });
    model.fleet.apply(upsert({ kind: "lan", value: now }), model.nowMs);
    gateway.refusal = new ZorError({ reason: "ETAG_MISMATCH", code: status.ABORTED, message: "changed meanwhile" });
    press("ctrl-s");
    await expect.poll(() => model.notice?.text).toContain("somebody has changed it meanwhile");
    expect(text()).toMatch(/mtu +8000/);
    gateway.refusal = undefined;
    press("ctrl-s");
    await expect.poll(() => gateway.sent.length).toBe(2);
    expect(gateway.sent[1]).toMatchObject({ etag: "e2", paths: ["spec.mtu"], resource: { spec: { rstp: true } } });
  });

  it("clones under a name that is free, without what each has of its own", async () => {
    const { press, model, formed, gateway } = start("2");
    const nics = [{ name: "eth0", lan: "lan1", mac: "02:00:00:00:00:01", port: "p1" }];
    model.fleet.apply(upsertWhole({ name: "hosts/alpha/instances/vm0", spec: { cpus: 3, nics } }), model.nowMs);
    press("home", "C");
    await formed();
    press("ctrl-s");
    await expect.poll(() => gateway.sent).toHaveLength(1);
    const [sent] = gateway.sent;
    expect(sent?.name).toMatch(/instances\/vm\d+$/);
    expect(sent?.name).not.toBe("hosts/alpha/instances/vm0");
    expect(Instance.fromPartial(sent?.resource ?? {}).spec).toMatchObject({
      cpus: 3,
      nics: [{ name: "eth0", lan: "lan1", mac: "", port: "" }],
    });
  });

  it("edits as YAML on a second E, and sends what was saved", async () => {
    const { press, formed, gateway } = start("3", "E");
    await formed();
    gateway.saves.push("spec:\n  mtu: 7000\n");
    press("E");
    await expect.poll(() => gateway.sent).toHaveLength(1);
    expect(gateway.calls.at(-1)).toContain("spec:");
    expect(gateway.checked).toMatchObject([{ type: "update" }]);
    expect(gateway.sent[0]).toMatchObject({ resource: { spec: { mtu: 7000 } } });
  });

  it("opens for any kind by its word, and says what is none", async () => {
    const { press, formed, model } = start("1", ":", ..."new wire", "enter");
    await formed();
    expect(model.screen.title()).toBe("new wire");
    press("esc", ":", ..."new wie", "enter");
    expect(model.notice?.text).toContain("did you mean wire");
  });

  it("opens none in read-only mode", () => {
    const { press, model } = makeProgram({ readOnly: true });
    press("3", "n", "E", "C");
    expect(model.screen.title()).toBe("lans");
  });

  it.each([
    [80, 18],
    [200, 44],
    [60, 8],
  ])("fits %dx%d wherever the cursor is", async (width, height) => {
    const { press, formed, model } = start("2", "n");
    await formed();
    press("down", ..."x".repeat(300), "down", "right", "end");
    for (let turn = 0; turn < 40; turn += 1) {
      const { lines, extent } = model.screen.draw(width, height);
      expect(lines.length).toBeLessThanOrEqual(height);
      expect(extent.shown).toBeGreaterThan(0);
      expect(lines.some(({ line }) => line[0]?.text === "❯")).toBe(true);
      for (const { line } of lines.slice(0, -1)) expect(lineWidth(line)).toBeLessThanOrEqual(width);
      if (turn % 7 === 6) press("enter");
      press("down");
    }
  });

  it("leaves the cursor on what was made when it comes", async () => {
    const { press, formed, model, gateway } = start("2", "n");
    await formed();
    press("down", ..."zz9", "ctrl-s");
    await expect.poll(() => gateway.sent).toHaveLength(1);
    await expect.poll(() => model.screen.title()).toBe("instances");
    model.screen.draw(80, 20);
    model.fleet.apply(upsertWhole({ name: "hosts/alpha/instances/zz9" }), model.nowMs);
    model.screen.draw(80, 20);
    expect(tableOf(model).current(model.nowMs)?.id).toBe("zz9");
  });
});
