import { describe, expect, it } from "vitest";
import { instanceIdOf, markNamespace, parseDomain } from "../../../../../agent/drivers/libvirt/domain.js";
import { findElement, parseXml } from "../../../../../agent/drivers/libvirt/xml.js";
import { explain, isNoDomain } from "../../../../../agent/drivers/libvirt/virsh.js";
import { ToolError } from "../../../../../agent/host/exec.js";
import { isId } from "../../../../../lib/names.js";

const uuid = "6695eb01-f6a4-8304-79aa-97f2502e193f";

function printed(options: { info?: string; state?: string; metadata?: string; name?: string } = {}): string {
  const { info = "Id:             7\nState:          running\nPersistent:     yes\n", metadata = "" } = options;
  const { state = "running (booted)", name = "web" } = options;
  return `${info}\n${state}\n\n<domain type='kvm' id='7'>\n <name>${name}</name><uuid>${uuid}</uuid><title>a &amp; b</title>${metadata}
 <memory unit='GiB'>2</memory><vcpu placement='static'>4</vcpu><devices><console type='pty'/>
  <interface type='direct'><mac address='02:00:00:00:00:0A'/><source dev='zh1' mode='passthrough'/></interface></devices></domain>\n`;
}

describe("what virsh prints of a domain", () => {
  it("is read", () => {
    expect(parseDomain(printed())).toEqual({
      ...{ uuid, name: "web", title: "a & b", hypervisor: "kvm", run: 7, state: "running", word: "running" },
      ...{
        why: "booted",
        cpus: 4,
        memoryMib: 2048n,
        isTransient: false,
        hasConsole: true,
        hasScreen: false,
        graphics: [],
        interfaces: [{ mac: "02:00:00:00:00:0a", device: "zh1" }],
        adoptedBy: undefined,
      },
    });
  });

  it("tells how it ended", () => {
    const info = "Id:             -\nState:          shut off\nPersistent:     no\n";
    const domain = parseDomain(printed({ info, state: "shut off (destroyed)" }));
    expect(domain).toMatchObject({ run: undefined, state: "stopped", why: "destroyed", isTransient: true });
  });

  it("has a mark only in our namespace", () => {
    const mark = (xmlns: string) => `<metadata><z:adopted xmlns:z="${xmlns}" host="h1"/></metadata>`;
    expect(parseDomain(printed({ metadata: mark(markNamespace) })).adoptedBy).toBe("h1");
    expect(parseDomain(printed({ metadata: mark("urn:another") })).adoptedBy).toBeUndefined();
  });

  it("is believed nothing that a name or title says of other fields", () => {
    const domain = parseDomain(printed({ name: "x&lt;uuid&gt;State: shut off" }));
    expect(domain).toMatchObject({ name: "x<uuid>State: shut off", uuid, state: "running" });
  });

  it.each(["", "error", "Id: 1\n<domain type='kvm'><name>x</name></domain>"])(
    "is refused when it is none: %j",
    (text) => {
      expect(() => parseDomain(text)).toThrow(/virsh printed no description|has no UUID/);
    },
  );
});

describe("names of domains", () => {
  it("become ids that are valid, stable and tell connections apart", () => {
    const names = ["web", "we b/..", "-", "\u001b[31m", "é", "x".repeat(300), "", "..", "a\u0000b"];
    const ids = names.flatMap((name) => [instanceIdOf("qemu:///system", name), instanceIdOf("lxc:///system", name)]);
    for (const id of ids) expect(isId(id), id).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    expect(instanceIdOf("qemu:///system", "web")).toBe("qemu-web-7452c8");
  });
});

describe("XML", () => {
  it("is read with its entities, comments and both quotes", () => {
    const document = parseXml(
      `<?xml version="1.0"?>\n<a b='"&#x41;' c = "2"><!-- <x> --><d/><![CDATA[<&]]>&#66;</a>\n`,
    );
    expect(document.text).toBe("<&B");
    expect(document.attributes.get("b")).toBe('"A');
    expect(findElement(document, "d")?.children).toEqual([]);
  });

  it.each([
    ["document types", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ["entities", "<a>&x;</a>"],
    ["characters beyond all", "<a>&#x110000;</a>"],
    ["bare ampersands", "<a>a & b</a>"],
    ["what is not closed", "<a><b></a></b>"],
    ["two documents", "<a/><b/>"],
    ["text outside", "<a/>b"],
    ["attributes twice", '<a b="1" b="2"/>'],
    ["instructions", "<a><?php x?></a>"],
    ["depth", "<a>".repeat(100) + "</a>".repeat(100)],
    ["size", `<a>${" ".repeat(1024 * 1024)}</a>`],
    ["half of one", "<a b="],
    ["nothing", ""],
  ])("refuses %s", (_, text) => {
    expect(() => parseXml(text)).toThrow(/document/);
  });
});

describe("what libvirt says of itself", () => {
  const failure = (stderr: string) =>
    new ToolError({ tool: "virsh", argv: [], exitCode: 1, stderr, why: "failed", cause: undefined });

  it.each([
    ["xen:///system", "no connection driver available for xen:///system"],
    ["vbox:///session", "no connection driver available for vbox:///session"],
    ["vz:///system", "no connection driver available for vz:///system"],
    ["esx://vcenter/", "unsupported configuration: libvirt was built without the 'esx' driver"],
  ])("names the driver that is missing, and the remedy: %s", (uri, words) => {
    const said = explain(failure(`error: failed to connect to the hypervisor\nerror: ${words}\n`), uri);
    const scheme = uri.split(":")[0] ?? "";
    expect(said).toContain(`this libvirt has no driver for ${scheme}; install one that has, or take ${uri} out of`);
  });

  it("says how a user and password are given", () => {
    const said = explain(failure("error: authentication failed: Username request failed\n"), "esx://vcenter/");
    expect(said).toMatch(/^authentication failed: .*authfile/);
  });

  it("is no word about a domain unless it says nothing else", () => {
    expect(
      isNoDomain(failure("error: failed to get domain 'a'\nerror: Domain not found: no domain with matching uuid")),
    ).toBe(true);
    expect(isNoDomain(failure("error: failed to get domain 'a'\nerror: access denied"))).toBe(false);
    expect(isNoDomain(failure(""))).toBe(false);
  });

  it("is told without virsh's own words", () => {
    const stderr = "error: failed to connect to the hypervisor\nerror: Failed to connect socket: Connection refused\n";
    expect(explain(failure(stderr), "qemu:///system")).toBe("Failed to connect socket: Connection refused");
  });
});
