import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KnownResource } from "../../../../../lib/kinds/resource.js";
import { HostState } from "../../../../../proto/gen/zor/v1/host.js";
import { InstanceState } from "../../../../../proto/gen/zor/v1/instance.js";
import { sceneJson } from "../../../../../tui/kit/map/as-json.js";
import { sceneMermaid } from "../../../../../tui/kit/map/as-mermaid.js";
import { sceneSvg } from "../../../../../tui/kit/map/as-svg.js";
import { Looks } from "../../../../../tui/kit/map/looks.js";
import { isReached, type Scene, zooms } from "../../../../../tui/kit/map/scene.js";
import { directions, nextFrom, Walk } from "../../../../../tui/kit/map/walk.js";
import { toAscii } from "../../../../../tui/kit/text/ascii.js";
import {
  boxOn,
  hostOn,
  instanceOn,
  lanOn,
  largeLab,
  linkBetween,
  natOn,
  smallLab,
  wireOn,
} from "../../../../fakes/topology.js";
import { mapOf, overlaps, textOf } from "./maps.js";

/** What Tab comes through from the first thing until it is there again. */
function tabbed(scene: Scene): ReadonlySet<string> {
  const seen = new Set<string>();
  let at = nextFrom(scene, "", 1);
  while (at !== undefined && !seen.has(at)) {
    seen.add(at);
    at = nextFrom(scene, at, 1);
  }
  return seen;
}

/** What arrows come to from the first thing. */
function walked(scene: Scene): ReadonlySet<string> {
  const walk = new Walk(scene);
  const seen = new Set<string>();
  const next = [scene.things.find(isReached)?.name ?? ""];
  for (let at = next.pop(); at !== undefined; at = next.pop()) {
    if (seen.has(at) || at === "") continue;
    seen.add(at);
    for (const direction of directions) next.push(walk.step(at, direction) ?? "");
  }
  return seen;
}

function placesOf(scene: Scene): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...scene.byName].map(
      ([
        name,
        {
          label: { x, y },
        },
      ]) => [name, `${x},${y}`],
    ),
  );
}

describe("the map of a small lab", () => {
  it.each(zooms)("is drawn at the zoom %s", async (zoom) => {
    const { model, scene } = mapOf(smallLab());
    await expect(`${textOf(model, scene(zoom))}\n`).toMatchFileSnapshot(`snapshots/small-${zoom}.txt`);
  });

  it("is drawn in ASCII, cell by cell", async () => {
    const { model, scene } = mapOf(smallLab());
    const text = toAscii(textOf(model, scene("host")).replaceAll("\n", " ¶")).replaceAll(" ?", "\n");
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    expect(text).toContain("x backup");
  });

  it("of one host shows the others closed, and only where its cables lead", () => {
    const { scene } = mapOf([...smallLab(), hostOn("gamma"), lanOn("gamma/lan1")]);
    const names = [...scene("host", "alpha").byName.keys()];
    expect(names).toContain("hosts/beta");
    expect(names).toContain("hosts/alpha/instances/web1");
    expect(names).not.toContain("hosts/beta/lans/lan1");
    expect(names).not.toContain("hosts/gamma");
  });

  it("has everything in its JSON, with the way of each half of a cable", () => {
    const { model, scene } = mapOf(smallLab());
    const json = sceneJson(scene("host"), new Looks(model.fleet));
    const onMap = smallLab().map(({ value }) => value.name);
    expect(json.things.map(({ name }) => name).sort()).toEqual(onMap.sort());
    expect(json.cables.filter(({ cable }) => cable === "links/backup")).toMatchObject([
      { condition: "broken" },
      { condition: "broken" },
    ]);
    expect(json.cables.filter(({ cable }) => cable.endsWith("a2bs/wan")).map(({ condition }) => condition)).toEqual([
      "impaired",
      "impaired",
    ]);
    expect(json.cables.filter(({ from }) => from.endsWith("instances/r1"))).toHaveLength(2);
    expect(json.things.find(({ name }) => name.endsWith("client2"))?.state).toBe("failed");
  });

  it("is a picture and a flowchart of the same things", () => {
    const { model, scene } = mapOf(smallLab());
    const looks = new Looks(model.fleet);
    const svg = sceneSvg(scene("host"), looks, "a & b");
    expect(svg).toContain("<title>a &#38; b</title>");
    const mermaid = sceneMermaid(scene("host"), looks);
    for (const { value } of smallLab()) {
      const id = value.name.slice(value.name.lastIndexOf("/") + 1);
      expect(svg).toContain(`${id}</text>`);
      expect(mermaid).toMatch(new RegExp(`[ "]${id}"`));
    }
    expect(mermaid.split("\n")[0]).toBe("flowchart LR");
    expect(mermaid).toContain("-. broken .-");
    expect(mermaid).toContain('subgraph n0["● alpha"]');
  });

  it("lets no name out of its syntax, whatever it is", () => {
    const evil = 'x"]-->\x1b[2J<b>&';
    const { model, scene } = mapOf([hostOn("alpha"), lanOn("alpha/lan1"), instanceOn(`alpha/${evil}`, ["lan1"])]);
    const looks = new Looks(model.fleet);
    const drawn = [
      sceneSvg(scene("host"), looks, "t"),
      sceneMermaid(scene("host"), looks),
      textOf(model, scene("host")),
    ];
    for (const text of drawn) expect(text).not.toContain("\x1b");
    expect(drawn[0]).not.toContain("<b>");
    expect(drawn[1]).not.toContain('x"');
  });
});

describe("states on the map", () => {
  it("show what is known of a host that does not answer as such", () => {
    const { model, scene, add } = mapOf(smallLab());
    add(hostOn("beta", HostState.HOST_STATE_UNREACHABLE));
    const text = textOf(model, scene("host"));
    expect(text).toContain("✗ beta");
    expect(text).toContain("◌ client1");
    expect(text).toContain("● web1");
  });

  it("change where they are, and move nothing", () => {
    const { model, scene, add } = mapOf(smallLab());
    const before = scene("host");
    add(instanceOn("alpha/web1", ["dmz"], InstanceState.INSTANCE_STATE_FAILED));
    expect(scene("host")).toBe(before);
    expect(textOf(model, before)).toContain("✗ web1");
  });

  it("of cables that are drawn as one are those of the worst", () => {
    const { model, scene } = mapOf(smallLab());
    expect(textOf(model, scene("fleet"))).toContain("✗ 3 links");
  });
});

describe("places on the map", () => {
  it("are the same for the same resources, in whatever order they come", () => {
    const forward = mapOf(smallLab());
    const backward = mapOf(smallLab().reverse());
    for (const zoom of zooms) expect(placesOf(backward.scene(zoom))).toEqual(placesOf(forward.scene(zoom)));
  });

  it.each<readonly [string, readonly KnownResource[]]>([
    ["an instance in a lan", [instanceOn("alpha/web3", ["dmz"])]],
    ["a router", [instanceOn("beta/r9", ["lan1", ""]), lanOn("beta/lan9")]],
    ["a lan", [lanOn("alpha/lan9")]],
    ["a wire", [instanceOn("beta/x", [""]), wireOn("beta/w2", "x:eth0", "client1:eth0")]],
    ["a link", [linkBetween("more", "alpha/dmz", "beta/lan1")]],
  ])("stay when %s is added", (_, added) => {
    const { scene, add } = mapOf(smallLab());
    const before = placesOf(scene("host"));
    add(...added);
    const after = placesOf(scene("host"));
    const moved = Object.keys(before).filter((name) => before[name] !== after[name]);
    // A leaf that gets a cable of its own leaves its lan; nothing else goes anywhere.
    const freed = new Set(added.flatMap(({ kind }) => (kind === "wire" ? ["hosts/beta/instances/client1"] : [])));
    expect(moved.filter((name) => !freed.has(name))).toEqual([]);
    for (const { value } of added) expect(after).toHaveProperty([value.name]);
  });
});

/** Some lab: hosts, lans, instances with interfaces in some of them, cables between whatever there is. */
const labs = fc
  .record({
    hosts: fc.integer({ min: 1, max: 4 }),
    lans: fc.integer({ min: 0, max: 4 }),
    instances: fc.array(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }), { maxLength: 24 }),
    links: fc.array(fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3)), { maxLength: 6 }),
    boxes: fc.array(fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)), { maxLength: 3 }),
    wires: fc.array(fc.tuple(fc.nat(23), fc.nat(23)), { maxLength: 4 }),
    stretch: fc.integer({ min: 0, max: 30 }),
  })
  .map(({ hosts, lans, instances, links, boxes, wires, stretch }): KnownResource[] => {
    const host = (index: number) => `h${index % hosts}`;
    const lan = (index: number) => `lan${index % Math.max(1, lans)}`;
    const name = (index: number) => `vm${index}${"x".repeat(index % 5 === 0 ? stretch : 0)}`;
    return [
      ...Array.from({ length: hosts }, (_, index) => [
        hostOn(host(index)),
        ...Array.from({ length: lans }, (_, each) => lanOn(`${host(index)}/lan${each}`)),
        natOn(`${host(index)}/way`, lan(index)),
      ]).flat(),
      ...instances.map((nics, index) =>
        instanceOn(
          `${host(index)}/${name(index)}`,
          nics.map((nic) => (nic >= lans ? "" : lan(nic))),
        ),
      ),
      ...links.map(([a, lanA, b, lanB], index) =>
        linkBetween(`l${index}`, `${host(a)}/${lan(lanA)}`, `${host(b)}/${lan(lanB)}`),
      ),
      ...boxes.map(([at, a, b], index) => boxOn(`${host(at)}/box${index}`, lan(a), lan(b))),
      ...wires.map(([a, b], index) => wireOn(`${host(a)}/w${index}`, `${name(a)}:eth0`, `${name(b)}:eth0`)),
    ];
  });

describe("a map of whatever lab", () => {
  it("writes nothing over anything else, has everything on it, and Tab and the arrows come to all of it", () => {
    fc.assert(
      fc.property(labs, fc.constantFrom(...zooms), (resources, zoom) => {
        const { scene } = mapOf(resources);
        const drawn = scene(zoom);
        expect(overlaps(drawn)).toEqual([]);
        const names = new Set(drawn.byName.keys());
        expect(tabbed(drawn)).toEqual(names);
        expect(walked(drawn)).toEqual(names);
        if (zoom !== "fleet") for (const { value } of resources) expect(names).toContain(value.name);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps all that when more is added, one by one", () => {
    fc.assert(
      fc.property(labs, fc.nat(200), (resources, cut) => {
        const { scene, add } = mapOf(resources.slice(0, 1 + (cut % resources.length)));
        scene("host");
        for (const resource of resources) {
          add(resource);
          expect(overlaps(scene("host"))).toEqual([]);
        }
      }),
      { numRuns: 15 },
    );
  });

  it.each(zooms)("holds for 300 instances on 8 hosts at the zoom %s", (zoom) => {
    const resources = largeLab(300, 8);
    const drawn = mapOf(resources).scene(zoom);
    expect(overlaps(drawn)).toEqual([]);
    const names = new Set(drawn.byName.keys());
    expect(tabbed(drawn)).toEqual(names);
    expect(walked(drawn)).toEqual(names);
    const expected = resources.filter(({ kind }) => zoom !== "fleet" || kind === "host");
    for (const { value } of expected) expect(names).toContain(value.name);
  });
});
