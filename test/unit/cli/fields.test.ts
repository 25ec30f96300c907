import { describe, expect, it } from "vitest";
import { jsonToBytes } from "../../../lib/grpc/json.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { Link } from "../../../proto/gen/zor/v1/link.js";
import { assign, type MessageJson, parseAssignment } from "../../../tui/kit/input/fields.js";

const ofLink = { type: "zor.v1.Link", called: "link", where: "field" };
const ofInstance = { type: "zor.v1.Instance", called: "instance", where: "field" };

/** The message that assignments make, and the paths that a mask would have. */
function made(target: typeof ofLink, texts: readonly string[]) {
  const json: MessageJson = {};
  const paths = texts.map((text) => {
    const assignment = parseAssignment(text, target);
    assign(json, assignment);
    return assignment.path;
  });
  return { bytes: jsonToBytes(target.type, json), paths };
}

describe("fields that are assigned on the command line", () => {
  it("take values as people write them", () => {
    const { bytes, paths } = made(ofLink, [
      "spec.a=hosts/h/lans/l",
      "spec.seed=-7",
      "spec.transport=vxlan",
      "spec.encryption=LINK_ENCRYPTION_NONE",
      "spec.aToB.delay=1.5s",
      "spec.a_to_b.loss_ratio=0.25",
      "spec.b_to_a.down=true",
      "labels.example.com/site=a=b, c",
      'spec.schedule=[{"duration":"2s","impairment":{"down":true}}]',
    ]);
    expect(Link.decode(bytes)).toMatchObject({
      labels: { "example.com/site": "a=b, c" },
      spec: {
        ...{ a: "hosts/h/lans/l", seed: -7n, transport: 2, encryption: 2 },
        aToB: { delay: { seconds: 1n, nanos: 500_000_000 }, lossRatio: 0.25 },
        bToA: { down: true },
        schedule: [{ duration: { seconds: 2n }, impairment: { down: true } }],
      },
    });
    expect(paths).toContain("spec.a_to_b.delay");
    expect(paths).toContain("labels.example.com/site");
  });

  it("reach into members of a choice, lists and messages", () => {
    const texts = ["spec.crun.command=/bin/sh,-c,true", "spec.crun.environment.PATH=/bin:/sbin", "spec.cpus=2"];
    expect(Instance.decode(made(ofInstance, texts).bytes).spec).toMatchObject({
      cpus: 2,
      driver: { $case: "crun", value: { command: ["/bin/sh", "-c", "true"], environment: { PATH: "/bin:/sbin" } } },
    });
    const whole = made(ofInstance, ['spec={"memoryMib":"64"}', "spec.cpus=3"]).bytes;
    expect(Instance.decode(whole).spec).toMatchObject({ memoryMib: 64n, cpus: 3 });
  });

  it("are cleared when nothing is assigned", () => {
    const { bytes, paths } = made(ofLink, ["spec.seed=5", "spec.seed=", "spec.a_to_b="]);
    expect(Link.decode(bytes)).toMatchObject({ spec: { seed: 0n, aToB: undefined } });
    expect(paths).toEqual(["spec.seed", "spec.seed", "spec.a_to_b"]);
  });

  it.each([
    ["spec.transprot=tcp", /"spec.transprot" is not a field; did you mean "spec.transport"\?/],
    ["colour=red", /links have name, uid, labels/],
    ["spec.transport=udp", /spec.transport cannot be "udp": it is .*one of tcp or vxlan/],
    ["spec.a_to_b.delay=soon", /it is a time such as 200us/],
    ["spec.a_to_b.down=yes", /it is true or false/],
    ["spec.seed=1x", /it is a number/],
    ["spec.a_to_b=50ms", /consists of fields: give one of spec.a_to_b.delay/],
    ["spec.a_to_b={", /spec.a_to_b: /],
    ["labels=a", /is a map: give one entry as labels.KEY=VALUE/],
    ["spec.schedule.start=1s", /is a list and is replaced as a whole/],
    ["spec.seed", /does not have the form FIELD=VALUE/],
    ["=5", /does not have the form FIELD=VALUE/],
  ])("%j is refused with what there is", (text, says) => {
    expect(() => parseAssignment(text, ofLink)).toThrow(says);
    expect(() => parseAssignment(text, ofLink)).toThrow(/^field: /);
  });
});
