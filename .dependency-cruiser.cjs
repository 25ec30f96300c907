// The import directions of ARCHITECTURE.md, held by machine.
const program = (name, others) => ({
  name: `${name}-stands-alone`,
  comment: `${name} imports only itself, lib and proto/gen.`,
  severity: "error",
  from: { path: `^${name}/` },
  to: { path: `^(${others.join("|")})/` },
});

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      comment: "Types count as well.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, path: "^(agent|hub|lib|tui|deploy)/", pathNot: "\\.(mjs|cjs)$" },
      to: {},
    },
    program("agent", ["hub", "tui", "deploy", "test"]),
    program("hub", ["agent", "tui", "deploy", "test"]),
    program("tui", ["agent", "hub", "deploy", "test"]),
    program("deploy", ["agent", "hub", "tui", "test"]),
    program("lib", ["agent", "hub", "tui", "deploy", "test"]),
    program("proto", ["agent", "hub", "tui", "deploy", "test", "lib"]),
    {
      name: "drivers-do-not-know-each-other",
      comment: "What several drivers of containers share is in folders that are no drivers.",
      severity: "error",
      from: { path: "^agent/drivers/([^/]+)/" },
      to: { path: "^agent/drivers/[^/]+/", pathNot: "^agent/drivers/($1|abilities|containers|engine-api)/" },
    },
    {
      name: "what-drivers-share-knows-no-driver",
      severity: "error",
      from: { path: "^agent/drivers/(containers|engine-api)/" },
      to: { path: "^agent/drivers/[^/]+/", pathNot: "^agent/drivers/(abilities|containers|engine-api)/" },
    },
    {
      name: "agent-kit-knows-no-kinds",
      comment: "kinds -> kit -> lib. What the agent has of parts, kinds are given; the kit knows nothing of them.",
      severity: "error",
      from: { path: "^agent/kit/" },
      to: { path: "^agent/", pathNot: "^agent/(kit|host)/" },
    },
    {
      name: "agent-knows-kinds-by-their-list",
      severity: "error",
      from: { path: "^agent/", pathNot: "^agent/kinds/" },
      to: { path: "^agent/kinds/", pathNot: "^agent/kinds/index\\.ts$" },
    },
    {
      name: "agent-kinds-do-not-know-each-other",
      comment: "They refer to each other only through what the kit resolves.",
      severity: "error",
      from: { path: "^agent/kinds/([^/]+)/" },
      to: { path: "^agent/kinds/", pathNot: "^agent/kinds/$1/" },
    },
    {
      name: "agent-layers-drivers",
      comment: "kinds -> drivers, cable -> network -> host",
      severity: "error",
      from: { path: "^agent/drivers/" },
      to: { path: "^agent/(kinds|kit|cable)/" },
    },
    {
      name: "agent-layers-cable",
      severity: "error",
      from: { path: "^agent/cable/" },
      to: { path: "^agent/(kinds|kit|drivers)/" },
    },
    {
      name: "agent-layers-network",
      severity: "error",
      from: { path: "^agent/network/" },
      to: { path: "^agent/(kinds|kit|drivers|cable)/" },
    },
    {
      name: "agent-layers-host",
      severity: "error",
      from: { path: "^agent/host/" },
      to: { path: "^agent/(kinds|kit|cable|drivers|network)/" },
    },
    {
      name: "cable-engine-stands-alone",
      comment: "The cable engine is a program of its own. Of the agent it has only the way to run tools.",
      severity: "error",
      from: { path: "^agent/engine/" },
      to: { path: "^agent/", pathNot: "^agent/(engine/|host/exec\\.ts$)" },
    },
    {
      name: "agent-knows-only-the-engine-protocol",
      severity: "error",
      from: { path: "^agent/", pathNot: "^agent/engine/" },
      to: { path: "^agent/engine/", pathNot: "^agent/engine/protocol/" },
    },
    {
      name: "engine-protocol-stands-alone",
      comment: "What the agent may know of the engine must not lead it further in.",
      severity: "error",
      from: { path: "^agent/engine/protocol/" },
      to: { path: "^agent/", pathNot: "^agent/engine/protocol/" },
    },
    {
      name: "console-pump-stands-alone",
      comment: "The pump of serial consoles is a program of its own, which outlives the agent.",
      severity: "error",
      from: { path: "^agent/pump/" },
      to: { path: "^agent/", pathNot: "^agent/(pump/|host/)" },
    },
    {
      name: "agent-knows-only-the-pump-protocol",
      severity: "error",
      from: { path: "^agent/", pathNot: "^agent/pump/" },
      to: { path: "^agent/pump/", pathNot: "^agent/pump/protocol/" },
    },
    {
      name: "lan-relay-stands-alone",
      comment: "The relay of what lans tell is a program of its own, which outlives the agent.",
      severity: "error",
      from: { path: "^agent/relay/" },
      to: { path: "^agent/", pathNot: "^agent/(relay/|host/)" },
    },
    {
      name: "agent-knows-only-the-relay-protocol",
      severity: "error",
      from: { path: "^agent/", pathNot: "^agent/relay/" },
      to: { path: "^agent/relay/", pathNot: "^agent/relay/protocol/" },
    },
    {
      name: "only-exec-runs-tools",
      comment:
        "What is started must end with whoever started it, unless it is meant to stay: few places know how (decision 0008).",
      severity: "error",
      from: {
        path: "^(agent|hub|lib|tui|deploy|test)/",
        pathNot: [
          "^agent/host/exec\\.ts$",
          // Programs that events are told to, from the configuration.
          "^lib/hooks/run-program\\.ts$",
          // The hub's own join program, with a channel to it.
          "^hub/join/join-process\\.ts$",
          // The hub's own relay, which outlives it.
          "^hub/relay/kept/relay-process\\.ts$",
          // The editor of a person, which has the terminal meanwhile.
          "^tui/cli/editor\\.ts$",
          // ssh, which has the terminal meanwhile, and viewers of screens.
          "^tui/client/run-program\\.ts$",
          // Who gives the terminal back when zor was killed: it has to outlive zor.
          "^tui/client/terminal-keeper\\.ts$",
          // tshark or tcpdump, which print frames.
          "^tui/cli/capture/decode\\.ts$",
          "^deploy/demo/tool\\.ts$",
          // Scripts that npm runs, by Node alone.
          "^(deploy|deploy/package|test/bench)/[^/]+\\.mjs$",
          "^test/helpers/leftovers\\.ts$",
          "^test/helpers/owned\\.ts$",
          "^test/helpers/ssh-server\\.ts$",
        ],
      },
      to: { path: "^(node_modules/execa|(node:)?child_process$)", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "ssh2-in-one-place",
      comment: "Tests have servers of it.",
      severity: "error",
      from: { pathNot: "^(lib/ssh|test)/" },
      to: { path: "node_modules/ssh2" },
    },
    {
      name: "tui-knows-react-in-one-place",
      severity: "error",
      from: { path: "^tui/(kit|kinds|screens|plain|client|cli)/" },
      to: { path: "node_modules/(react|ink)/" },
    },
    {
      name: "tui-layers",
      comment: "session -> app -> screens -> kinds, settings -> kit; cli -> kinds, kit, client",
      severity: "error",
      from: { path: "^tui/kit/" },
      to: { path: "^tui/", pathNot: "^tui/kit/" },
    },
    {
      name: "tui-layers-kinds",
      comment: "Kinds know the kit, and each other only through what the kit resolves.",
      severity: "error",
      from: { path: "^tui/kinds/([^/]+)/" },
      to: { path: "^tui/", pathNot: "^tui/(kit|kinds/$1)/" },
    },
    {
      name: "tui-layers-settings",
      severity: "error",
      from: { path: "^tui/settings/" },
      to: { path: "^tui/", pathNot: "^tui/(kit|settings)/" },
    },
    {
      name: "tui-layers-screens",
      severity: "error",
      from: { path: "^tui/screens/" },
      to: { path: "^tui/", pathNot: "^tui/(kit|kinds|settings|screens)/" },
    },
    {
      name: "tui-layers-app",
      severity: "error",
      from: { path: "^tui/app/" },
      to: { path: "^tui/", pathNot: "^tui/(kit|kinds|settings|screens|app)/" },
    },
    {
      name: "tui-layers-plain",
      comment: "What is drawn on the full screen and what is said in lines are the same screens.",
      severity: "error",
      from: { path: "^tui/plain/" },
      to: { path: "^tui/", pathNot: "^tui/(kit|kinds|settings|screens|app|plain)/" },
    },
    {
      name: "tui-layers-client",
      severity: "error",
      from: { path: "^tui/client/" },
      to: { path: "^tui/", pathNot: "^tui/(kit|client)/" },
    },
    {
      name: "tui-layers-cli",
      severity: "error",
      from: { path: "^tui/cli/" },
      to: { path: "^tui/", pathNot: "^tui/(kit|kinds|client|cli)/" },
    },
    {
      name: "hub-kinds-stand-alone",
      comment: "Kinds know each other through what the kit resolves: references, topology, remarks, operations.",
      severity: "error",
      from: { path: "^hub/kinds/([^/]+)/" },
      to: { path: "^hub/kinds/", pathNot: "^hub/kinds/$1/" },
    },
    {
      name: "hub-layers",
      comment: "kinds -> kit, fleet, relay, pki, join -> store -> lib; what puts them together is above all.",
      severity: "error",
      from: { path: "^hub/(kit|fleet|relay|pki|join)/" },
      to: { path: "^hub/(kinds/|[^/]+\\.ts$)", pathNot: "^hub/(config|listeners)\\.ts$" },
    },
    {
      name: "hub-fleet-and-relay-know-neither-each-other-nor-join",
      severity: "error",
      from: { path: "^hub/(fleet|relay|pki)/" },
      to: { path: "^hub/(fleet|relay|pki|join)/", pathNot: "^hub/$1/" },
    },
    {
      name: "hub-store-is-below-all",
      severity: "error",
      from: { path: "^hub/store/" },
      to: { path: "^hub/", pathNot: "^hub/store/" },
    },
    {
      name: "plan-is-pure",
      comment:
        "Nothing that a plan is made with does I/O, through whatever it imports: it reaches no module of Node's own.",
      severity: "error",
      from: { path: "^hub/kinds/link/reconcile/plan\\.ts$" },
      to: { path: "^[a-z:/_]+$", reachable: true },
    },
    {
      name: "agent-stays-light",
      severity: "error",
      from: { path: "^(agent|hub)/" },
      to: { path: "node_modules/(ink|react)/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      extensions: [".ts", ".tsx", ".js", ".mjs", ".json"],
    },
  },
};
