import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { type AskedTool, judgeTool, type ToolPlace } from "../../../../../agent/network/ovs/tools/judge.js";
import { notFound } from "../../../../../lib/errors.js";

const place: ToolPlace = {
  directory: "/d/ovs",
  bridges: new Set(["zl1"]),
  bridgeOf: (lan) => {
    if (lan !== "lan1") throw notFound(`lans/${lan}`);
    return "zl1";
  },
};

/** "ovs-vsctl show" as an agent is asked for it. */
function judge(line: string) {
  const [tool = "", ...words] = line.split(" ");
  return judgeTool({ tool: tool as AskedTool["tool"], words }, place);
}

describe("tools of the switch", () => {
  it.each([
    ["ovs-vsctl show", "--db=unix:/d/ovs/db.sock --timeout=10 --no-syslog show"],
    [
      "ovs-vsctl --format=json --columns=name list Interface",
      "--db=unix:/d/ovs/db.sock --timeout=10 --no-syslog --format=json --columns=name list Interface",
    ],
    ["ovs-ofctl dump-flows lan/lan1", "--timeout=10 dump-flows unix:/d/ovs/zl1.mgmt"],
    ["ovs-ofctl dump-ports zl1 --names", "--timeout=10 --names dump-ports unix:/d/ovs/zl1.mgmt"],
    ["ovs-appctl fdb/show lan/lan1", "--target /d/ovs/ovs-vswitchd.ctl --timeout 10 fdb/show zl1"],
    ["ovs-appctl --target=ovsdb-server version", "--target /d/ovs/ovsdb-server.ctl --timeout 10 version"],
  ])("%s reads, at this instance alone", (line, argv) => {
    expect(judge(line)).toEqual({ tool: line.split(" ")[0], argv: argv.split(" "), kind: "reads" });
  });

  it.each([
    "ovs-vsctl set Bridge zl1 fail_mode=secure",
    "ovs-vsctl show -- set Bridge zl1 fail_mode=secure",
    "ovs-vsctl -- --if-exists del-port zl1 p1",
    "ovs-ofctl add-flow lan/lan1 priority=1,actions=drop",
    "ovs-appctl fdb/flush lan/lan1",
  ])("%s changes the switch", (line) => {
    expect(judge(line).kind).toBe("changes");
  });

  it.each([
    "ovs-vsctl --db=tcp:192.0.2.1:6640 show",
    "ovs-vsctl --log-file=/etc/cron.d/x show",
    "ovs-vsctl --log-f=/etc/cron.d/x show",
    "ovs-vsctl --log-file show",
    "ovs-vsctl --verbose=ANY:file:dbg show",
    "ovs-vsctl -vfile:dbg show",
    "ovs-vsctl --syslog-method=unix:/x show",
    "ovs-vsctl --private-key=/etc/shadow show",
    "ovs-vsctl -p /etc/shadow show",
    "ovs-vsctl --bootstrap-ca-cert=/etc/x show",
    "ovs-vsctl show -- --bootstrap set-ssl /k /c /a",
    "ovs-vsctl set-ssl /k /c /a",
    "ovs-vsctl set-manager ptcp:6640",
    "ovs-vsctl emer-reset",
    "ovs-vsctl wait-until Open_vSwitch . cur_cfg=1",
    "ovs-vsctl create SSL private_key=/etc/shadow",
    "ovs-vsctl create ssl private_key=/etc/shadow",
    "ovs-vsctl list SS",
    "ovs-vsctl list Manager",
    "ovs-vsctl set Open_vSwitch . other_config:dpdk-extra=-d,/tmp/x.so",
    "ovs-vsctl add-port zl1 p -- set Interface p type=DPDK options:dpdk-devargs=net_pcap0",
    "ovs-vsctl set Open_vSwitch . other_config:vhost-sock-dir=..",
    "ovs-vsctl set-controller zl1 unix:/run/docker.sock",
    "ovs-vsctl set-controller zl1 punix:/tmp/x",
    "ovs-vsctl set-controller zl1 pssl:6653",
    "ovs-ofctl add-flows zl1 /etc/shadow",
    "ovs-ofctl replace-flows zl1 /etc/shadow",
    "ovs-ofctl diff-flows /etc/shadow zl1",
    "ovs-ofctl add-groups zl1 /etc/shadow",
    "ovs-ofctl bundle zl1 /etc/shadow",
    "ovs-ofctl ofp-parse /etc/shadow",
    "ovs-ofctl ofp-parse-pcap /etc/shadow",
    "ovs-ofctl monitor zl1",
    "ovs-ofctl snoop zl1",
    "ovs-ofctl show zl1 --pidfile=/etc/x",
    "ovs-ofctl show zl1 --detach",
    "ovs-ofctl show zl1 --unixctl=/tmp/x",
    "ovs-ofctl show zl1 --log-file=/x",
    "ovs-ofctl add-flow zl1 -",
    "ovs-ofctl show -- zl1",
    "ovs-appctl exit",
    "ovs-appctl exit --cleanup",
    "ovs-appctl vlog/set file:/x",
    "ovs-appctl vlog/reopen",
    "ovs-appctl ofctl/set-output-file /x",
    "ovs-appctl dpctl/add-if ovs-netdev eth0",
    "ovs-appctl netdev-dpdk/detach x",
    "ovs-appctl ovsdb-server/add-remote ptcp:6640",
    "ovs-appctl ovsdb-server/add-db /etc/x",
    "ovs-appctl -t /run/libvirt.sock version",
    "ovs-appctl --timeout=0 version",
  ])("%s is run for nobody", (line) => {
    expect(() => judge(line)).toThrow(expect.objectContaining({ code: status.PERMISSION_DENIED }));
  });

  it.each([
    ["ovs-ofctl show unix:/run/docker.sock", "is not a bridge"],
    ["ovs-ofctl show tcp:192.0.2.1", "is not a bridge"],
    ["ovs-ofctl show ../../run/x", "is not a bridge"],
    ["ovs-ofctl show", "is not a bridge"],
    ["ovs-appctl --target=../x version", "--target is ovs-vswitchd or ovsdb-server"],
    ["ovs-vsctl --columns name list Bridge", "write --columns=VALUE"],
    ["ovs-vsctl set Interface p --if-exists", "must stand before set"],
    ["ovs-vsctl --oneline", "no command"],
    ['ovs-vsctl set Interface p type="\\u0064pdk"', "backslashes"],
    ["ovs-vsctl get Bridge zl1\n name", "control characters"],
    [`ovs-vsctl br-exists ${"x".repeat(4097)}`, "longer than 4096"],
    [`ovs-vsctl show${" --".repeat(64)}`, "give 1 to 64"],
  ])("%j is refused with the reason", (line, reason) => {
    const { INVALID_ARGUMENT: code } = status;
    expect(() => judge(line)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(reason) }));
  });

  it("name the lan that is not there", () => {
    expect(() => judge("ovs-appctl fdb/show lan/other")).toThrow("lans/other does not exist");
  });
});
