import { describe, expect, it } from "vitest";
import { contextsIn, hubOf, hubsIn, withHub, withoutHub } from "../../../../tui/kit/hubs.js";

const message = {
  name: "hosts/alpha/instances/web",
  labels: { mail: "ana@paris", path: "a/b" },
  spec: { ends: ["hosts/alpha/lans/lan1", "links/demo"], at: new Date(5), bytes: Buffer.from("hosts/alpha"), big: 5n },
  image: "registry/debian:12",
  text: "see hosts/alpha for more",
  event: "hosts/alpha",
};

describe("names of several hubs", () => {
  it("say the hub, whatever they are in, and nothing else does; without it they are as before", () => {
    const there = withHub(message, "paris");
    expect(there).toEqual({
      ...message,
      name: "hosts/alpha@paris/instances/web",
      spec: { ...message.spec, ends: ["hosts/alpha@paris/lans/lan1", "links/demo@paris"] },
      event: "hosts/alpha@paris",
    });
    expect(withoutHub(there, "paris")).toEqual(message);
    expect(withHub({ text: "x", list: [1, "y"] }, "paris")).toEqual({ text: "x", list: [1, "y"] });
  });

  it("change nothing that they are made of, and keep what has none", () => {
    const { name, spec } = message;
    const there = withHub(message, "paris");
    expect(message.name).toBe(name);
    expect(message.spec).toBe(spec);
    expect(message.spec.ends).toEqual(["hosts/alpha/lans/lan1", "links/demo"]);
    expect(there.labels).toBe(message.labels);
    expect(there.spec.bytes).toBe(message.spec.bytes);
  });

  it.each([
    ["hosts/alpha@paris/instances/web", "paris"],
    ["alpha@paris", "paris"],
    ["links/demo@paris.2", "paris.2"],
    ["hosts/alpha", ""],
  ])("%s is at %j", (name, hub) => expect(hubOf(name)).toBe(hub));

  it("tell of others, which are left as they are", () => {
    const others: string[] = [];
    const request = { parent: "hosts/a@rome", lanId: "x@paris", mail: "ana@paris", to: "hosts/b@paris" };
    expect(withoutHub(request, "paris", (name) => others.push(name))).toEqual({
      ...{ parent: "hosts/a@rome", lanId: "x", mail: "ana@paris", to: "hosts/b" },
    });
    expect(others).toEqual(["hosts/a@rome"]);
    expect([...hubsIn(request)].sort()).toEqual(["paris", "rome"]);
  });

  it.each([
    ["paris+rome", ["paris", "rome"]],
    ["paris,rome,paris", ["paris", "rome"]],
    ["paris", ["paris"]],
    ["+", []],
  ])("%s names %j", (text, names) => expect(contextsIn(text)).toEqual(names));
});
