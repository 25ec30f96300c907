import { describe, expect, it } from "vitest";
import { codecOf } from "../../../../../lib/kinds/codecs.js";
import { Lan } from "../../../../../proto/gen/zor/v1/lan.js";
import { cursorOf, filledForm, formOf, go, labelsOf } from "./forms.js";

describe("a form", () => {
  it("has what the API has, the common first and the rest behind more", () => {
    const form = filledForm("lan");
    expect(labelsOf(form).slice(0, 5)).toEqual(["host", "name", "mtu", "rstp", "rstp settings"]);
    expect(labelsOf(form).at(-1)).toMatch(/^more \(\d+\)$/);
    form.showsMore = true;
    expect(labelsOf(form)).toEqual(expect.arrayContaining(["flows", "labels", "annotations", "less"]));
    expect(labelsOf(form)).not.toContain("status");
  });

  it("says what is wrong with what is typed, as it is typed", () => {
    const form = filledForm("lan");
    const cursor = cursorOf(form);
    go(cursor, "mtu");
    cursor.type("90x");
    expect(form.fault).toBe("mtu is a whole number");
    cursor.erase("character");
    cursor.type("00");
    expect(form.fault).toBeUndefined();
    expect(form.json()).toEqual({ spec: { mtu: 9000 } });
  });

  it("says first what it is called and where it is", () => {
    const form = formOf("lan");
    expect(form.fault).toBe("say the host first");
    const cursor = cursorOf(form, ["alpha", "beta"]);
    cursor.type("b");
    expect(cursor.complete()).toBe(true);
    expect(form.host?.text).toBe("beta");
    expect(cursor.complete()).toBe(false);
    cursor.move(1);
    cursor.type("lan9");
    expect(form.change()).toMatchObject({ type: "create", name: "hosts/beta/lans/lan9" });
  });

  it("goes through what a text may be with Tab, and back to what was typed by typing on", () => {
    const cursor = cursorOf(formOf("lan"), ["alpha", "alto", "beta"]);
    cursor.type("al");
    for (const expected of ["alpha", "alto", "alpha"]) {
      cursor.complete();
      expect(cursor.form.host?.text).toBe(expected);
    }
    cursor.type("x");
    expect(cursor.candidates()).toEqual([]);
  });

  it("adds and takes away items, of messages and of texts, and of maps", () => {
    const form = filledForm("instance");
    const cursor = cursorOf(form);
    go(cursor, "nics");
    cursor.enter();
    cursor.type("lan1");
    go(cursor, "addresses");
    cursor.enter();
    cursor.type("10.0.0.1/24");
    go(cursor, "+ nic");
    cursor.enter();
    cursor.type("lan2");
    expect(form.json()).toEqual({ spec: { nics: [{ lan: "lan1", addresses: ["10.0.0.1/24"] }, { lan: "lan2" }] } });
    go(cursor, "nic 1");
    cursor.clear();
    expect(form.json()).toEqual({ spec: { nics: [{ lan: "lan2" }] } });
    form.showsMore = true;
    go(cursor, "labels");
    cursor.enter();
    cursor.type("site");
    expect(form.fault).toBe("label a label is written key=value");
    cursor.type("=paris");
    expect(form.json()["labels"]).toEqual({ site: "paris" });
  });

  it("chooses one of several, keeps what was said of the others, and leaves out what cannot be", () => {
    const form = filledForm("instance");
    const cursor = cursorOf(form);
    go(cursor, "driver");
    cursor.type("c");
    go(cursor, "rootfs");
    cursor.type("micro");
    expect(form.json()).toEqual({ spec: { crun: { rootfs: "micro" } } });
    go(cursor, "driver");
    cursor.aside(-1);
    expect(form.json()).toEqual({ spec: { qemu: {} } });
    cursor.aside(1);
    expect(form.json()).toEqual({ spec: { crun: { rootfs: "micro" } } });
    cursor.type("l");
    expect(form.json()).toEqual({ spec: { crun: { rootfs: "micro" } } });
  });

  it("reads sizes, times, yes and no, and the words of enums", () => {
    const form = filledForm("instance");
    const cursor = cursorOf(form);
    form.showsMore = true;
    go(cursor, "memory (MiB)");
    cursor.type("1.5G");
    go(cursor, "restart");
    cursor.enter();
    go(cursor, "mode");
    cursor.type("o");
    go(cursor, "delete protection");
    cursor.type(" ");
    expect(form.json()).toEqual({
      spec: { memoryMib: "1536", restart: { mode: "RESTART_MODE_ON_FAILURE" }, deleteProtection: true },
    });
    const impaired = filledForm("link", { spec: { aToB: { lossRatio: 0.5 } } });
    const loss = [...impaired.values()].find(({ schema }) => schema.path === "spec.a_to_b.loss_ratio");
    for (const [text, value] of [
      ["1%", 0.01],
      ["0.1 %", 0.001],
      [".25", 0.25],
    ] as const) {
      if (loss !== undefined) loss.text = text;
      expect(loss?.json()).toBe(value);
    }
    if (loss !== undefined) loss.text = "%";
    expect(loss?.fault).toBe("is a number, or a part such as 1%");
    const link = filledForm("link", { spec: { carrierHold: "0.020s" } });
    link.showsMore = true;
    const other = cursorOf(link);
    go(other, "carrier hold");
    expect(other.typing()?.node.text).toBe("20ms");
    other.erase("all");
    other.type("soon");
    expect(link.fault).toContain("carrier hold is a time such as");
  });

  it("types in the middle of a text, and takes away words", () => {
    const cursor = cursorOf(filledForm("lan"));
    go(cursor, "name");
    cursor.aside(-1);
    cursor.type("x");
    expect(cursor.form.id?.text).toBe("onxe");
    cursor.edge("start");
    cursor.type("漢 ");
    cursor.erase("word");
    expect(cursor.form.id?.text).toBe("onxe");
    cursor.erase("all");
    cursor.edge("end");
    expect(cursor.form.id?.text).toBe("onxe");
  });

  it("changes only what was changed, and that only if nobody else did", () => {
    const base = Lan.fromPartial({
      name: "hosts/alpha/lans/lan1",
      etag: "e1",
      labels: { site: "paris", "a.b/c": "1" },
      spec: { mtu: 1500, rstp: true, flows: ["in_port=1,actions=drop"] },
      status: { datapath: "system" },
    });
    const form = formOf("lan", { base });
    expect(form.change()).toBeUndefined();
    expect(form.isDirty).toBe(false);
    const cursor = cursorOf(form);
    go(cursor, "mtu");
    cursor.erase("all");
    cursor.type("9000");
    expect(form.isDirty).toBe(true);
    expect(form.change()).toMatchObject({ type: "update", paths: ["spec.mtu"], etag: "e1" });
    const { resource } = form.change() ?? {};
    expect(resource).toMatchObject({ spec: { mtu: 9000, rstp: true, flows: ["in_port=1,actions=drop"] } });
  });

  it("puts what the server says to the fields that it names", () => {
    const form = filledForm("instance", { spec: { nics: [{ lan: "lan1" }, { lan: "lan9" }], qemu: {} } });
    form.refuse(
      [
        { field: "instance.spec.memory_mib", description: "is too much" },
        { field: "spec.nics[1].lan", description: "is not there" },
        { field: "spec.qemu.kernel", description: "is needed" },
        { field: "instance_id", description: "is no name" },
        { field: "nonsense", description: "is odd" },
      ],
      "",
    );
    const refused = [...form.values()].filter(({ refusal }) => refusal !== undefined);
    expect(refused.map(({ schema, refusal }) => `${schema.path}: ${refusal}`)).toEqual([
      "name: is no name",
      "spec.memory_mib: is too much",
      "spec.nics.lan: is not there",
      "spec.qemu.kernel: is needed",
    ]);
    expect(form.complaints).toEqual(["nonsense: is odd"]);
    form.refuse([], "hosts/alpha/lans/lan1 does not exist", "hosts/alpha/lans/lan1");
    expect([...form.values()].find(({ text }) => text === "lan1")?.refusal).toContain("does not exist");
    form.accept();
    expect([...form.values()].every(({ refusal }) => refusal === undefined)).toBe(true);
  });

  it("is empty again where a message is taken away, and says that one is there", () => {
    const form = filledForm("lan");
    const cursor = cursorOf(form);
    form.showsMore = true;
    go(cursor, "multicast snooping");
    cursor.enter();
    expect(codecOf("lan").toJSON(form.change()?.resource as Lan)).toMatchObject({ spec: { multicastSnooping: {} } });
    cursor.clear();
    expect(form.json()).toEqual({ spec: {} });
  });
});
