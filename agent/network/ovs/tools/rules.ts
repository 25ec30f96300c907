/** What a command of a tool does to the switch. */
export type CommandKind = "reads" | "changes";

/** A tool of Open vSwitch, and what of it stays within one instance. What is not named here is run for nobody. */
export interface ToolRules {
  readonly tool: "ovs-vsctl" | "ovs-ofctl" | "ovs-appctl";
  /** Options that are flags. */
  readonly flags: ReadonlySet<string>;
  /** Options with a value, as "--name=VALUE". */
  readonly valued: ReadonlySet<string>;
  readonly commands: ReadonlyMap<string, CommandKind>;
}

/** Makes rules of words that are separated by spaces and line ends. */
function toRules(
  tool: ToolRules["tool"],
  texts: Readonly<Record<"flags" | "valued" | CommandKind, string>>,
): ToolRules {
  const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");
  const commands = (["reads", "changes"] as const).flatMap((kind) =>
    words(texts[kind]).map((name) => [name, kind] as const),
  );
  return {
    tool,
    flags: new Set(words(texts.flags)),
    valued: new Set(words(texts.valued)),
    commands: new Map(commands),
  };
}

/** Left out: what sets keys, remote managers and files (set-ssl, set-manager, emer-reset), and what waits (wait-until). */
export const vsctlRules = toRules("ovs-vsctl", {
  flags: `--if-exists --may-exist --no-wait --dry-run --oneline --no-headings --pretty --bare --real --fake --with-iface
    --fake-iface --all`,
  valued: "--columns --id --format --data --max-column-width --inactivity-probe",
  reads: `show list-br br-exists br-to-vlan br-to-parent list-ports port-to-br list-ifaces iface-to-br
    br-get-external-id get-controller get-fail-mode get-aa-mapping list-zone-tp list-dp-cap list find get`,
  changes: `init add-br del-br add-port del-port add-bond add-bond-iface del-bond-iface br-set-external-id
    set-controller del-controller set-fail-mode del-fail-mode add-aa-mapping del-aa-mapping add-zone-tp del-zone-tp
    create set add remove clear destroy`,
});

/** Tables that ovs-vsctl may name; left out: SSL and Manager, whose rows name files and remote databases. */
export const vsctlTables: ReadonlySet<string> = new Set([
  "Open_vSwitch",
  "Bridge",
  "Port",
  "Interface",
  "Flow_Table",
  "QoS",
  "Queue",
  "Mirror",
  "Controller",
  "Flow_Sample_Collector_Set",
  "IPFIX",
  "NetFlow",
  "sFlow",
  "AutoAttach",
  "CT_Zone",
  "CT_Timeout_Policy",
  "Datapath",
]);

/** Commands of ovs-vsctl whose first argument is a table. */
export const tableCommands: ReadonlySet<string> = new Set(
  "list find get create set add remove clear destroy".split(" "),
);

/** Left out: what reads files (add-flows, replace-flows, diff-flows, add-groups, bundle, ofp-parse) and what goes on for ever (monitor, snoop). */
export const ofctlRules = toRules("ovs-ofctl", {
  flags: "--strict --read-only --sort --rsort --names --no-names --stats --no-stats -m --more --bundle --may-create",
  valued: "--sort --rsort --protocols --flow-format --color",
  reads: `show dump-desc dump-tables dump-table-features dump-table-desc get-frags dump-ports dump-ports-desc dump-flows
    dump-aggregate queue-stats queue-get-config dump-group-features dump-groups dump-group-stats dump-meters
    meter-stats meter-features dump-tlv-map dump-ipfix-bridge dump-ipfix-flow probe`,
  changes: `mod-port mod-table set-frags add-flow mod-flows del-flows packet-out add-group mod-group del-groups
    insert-buckets remove-buckets add-meter mod-meter del-meters del-meter add-tlv-map del-tlv-map ct-flush
    ct-flush-zone`,
});

/** Left out: what ends the daemon, writes files, makes sockets or devices (exit, vlog/set, vlog/reopen, ofctl/…, dpctl/add-…, netdev-dpdk/…). */
export const appctlRules = toRules("ovs-appctl", {
  flags: "",
  valued: "--target",
  reads: `version list-commands fdb/show fdb/stats-show mdb/show dpif/show dpif/dump-dps dpif/dump-flows
    dpif/show-dp-features dpif-netdev/pmd-stats-show dpif-netdev/pmd-perf-show dpif-netdev/pmd-rxq-show
    dpif-netdev/bond-show dpif-netdev/subtable-lookup-prio-get dpctl/show dpctl/dump-dps dpctl/dump-flows
    dpctl/get-flow dpctl/dump-conntrack dpctl/ct-stats-show dpctl/ct-bkts dpctl/ct-get-maxconns
    dpctl/ct-get-nconns dpctl/ct-get-tcp-seq-chk dpctl/ct-get-limits dpctl/ipf-get-status
    dpctl/cache-get-size ofproto/list ofproto/trace ofproto/list-tunnels bridge/dump-flows bond/list bond/show
    lacp/show lacp/show-stats rstp/show stp/show cfm/show bfd/show autoattach/status tnl/ports/show
    tnl/neigh/show tnl/arp/show tnl/egress_port_range ovs/route/show ovs/route/lookup
    coverage/show coverage/read-counter memory/show upcall/show vlog/list vlog/list-pattern qos/show
    qos/show-types qos/show-queue-stats odp-execute/action-impl-show ovsdb-server/list-dbs
    ovsdb-server/sync-status`,
  changes: `fdb/flush fdb/add fdb/del fdb/stats-clear mdb/flush bond/migrate bond/enable-slave bond/disable-slave
    bond/enable-member bond/disable-member bond/set-active-slave bond/set-active-member bond/hash
    rstp/tcn stp/tcn cfm/set-fault bfd/set-forwarding bridge/reconnect revalidator/purge revalidator/wait
    upcall/set-flow-limit upcall/disable-megaflows upcall/enable-megaflows upcall/disable-ufid upcall/enable-ufid
    dpif-netdev/pmd-stats-clear dpif-netdev/pmd-rxq-rebalance dpctl/flush-conntrack dpctl/del-flows
    tnl/neigh/flush tnl/neigh/set tnl/neigh/del tnl/arp/flush tnl/arp/set autoattach/show-isid
    autoattach/statistics ovsdb-server/compact`,
});

/** Daemons that ovs-appctl may speak to. */
export const appctlTargets = ["ovs-vswitchd", "ovsdb-server"] as const;
