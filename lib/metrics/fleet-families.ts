import { toMs } from "../duration.js";
import type { ResourceTypes } from "../kinds/codecs.js";
import { type Host, HostState } from "../../proto/gen/zor/v1/host.js";
import { type Instance, InstanceState } from "../../proto/gen/zor/v1/instance.js";
import type { Lan, LanPort } from "../../proto/gen/zor/v1/lan.js";
import { type Link, type LinkEnd, LinkState } from "../../proto/gen/zor/v1/link.js";
import { type Wire, WireState } from "../../proto/gen/zor/v1/wire.js";
import type { Emit, Sampled } from "./family.js";

const mib = 1024 * 1024;

/** The families of each kind of resource, in the order in which they are told. */
export const fleetFamilies: { readonly [K in keyof ResourceTypes]?: readonly Sampled<ResourceTypes[K]>[] } = {
  host: [
    ofHost(
      "zor_host_up",
      "gauge",
      "Whether the hub can use the host's agent; an agent that is asked itself always can.",
      ({ state }) => (state === HostState.HOST_STATE_READY || state === HostState.HOST_STATE_UNSPECIFIED ? 1 : 0),
    ),
    ofHost(
      "zor_host_last_seen_timestamp_seconds",
      "gauge",
      "When the host was last heard, seconds since 1970.",
      (host) => seconds(host.lastSeenTime),
    ),
    ofHost("zor_host_cpus", "gauge", "Processors of the host.", ({ fingerprint }) => fingerprint?.cpus),
    ofHost("zor_host_load1", "gauge", "Load average of a minute.", ({ summary }) => summary?.loadAverage),
    ofHost("zor_host_memory_total_bytes", "gauge", "Memory of the host.", ({ fingerprint }) =>
      fingerprint === undefined ? undefined : Number(fingerprint.memoryMib) * mib,
    ),
    ofHost(
      "zor_host_memory_available_bytes",
      "gauge",
      "Memory that programs on the host can still have.",
      ({ summary }) => (summary === undefined ? undefined : Number(summary.memoryAvailableMib) * mib),
    ),
    ofHost("zor_host_session_rtt_seconds", "gauge", "Time from the hub to the agent and back.", ({ sessionRtt }) =>
      sessionRtt === undefined ? undefined : toMs(sessionRtt) / 1000,
    ),
    ofHost(
      "zor_host_relayed_bytes_total",
      "counter",
      "Bytes that the hub's relay has carried for the host.",
      (host) => host.relayedBytes,
    ),
    ofHost(
      "zor_host_refused_statements_total",
      "counter",
      "Statements of the host's agent that the hub did not believe.",
      (host) => host.refusedStatements,
    ),
  ],
  instance: [
    {
      name: "zor_instance_state",
      type: "gauge",
      help: "The state that an instance is in; always 1.",
      labels: ["host", "instance_id", "state"],
      sample: ({ name, status }: Instance, emit: Emit) =>
        emit([...onHost(name), word(InstanceState, status?.state, "INSTANCE_STATE_")], 1),
    },
    ofInstance(
      "zor_instance_start_time_seconds",
      "gauge",
      "When the instance was started, seconds since 1970.",
      ({ status }) => seconds(status?.startTime),
    ),
    ofInstance(
      "zor_instance_restarts_total",
      "counter",
      "Restarts by its restart policy.",
      ({ status }) => status?.restart?.count,
    ),
    ofInstance("zor_instance_cpus", "gauge", "Processors that the instance may use.", ({ spec }) => spec?.cpus ?? 1),
  ],
  lan: [
    {
      name: "zor_lan_ports",
      type: "gauge",
      help: "What is plugged into a lan.",
      labels: ["host", "lan"],
      sample: ({ name, status }: Lan, emit: Emit) => emit(onHost(name), status?.ports.length),
    },
    {
      name: "zor_lan_healthy",
      type: "gauge",
      help: "Whether nothing is wrong with a lan.",
      labels: ["host", "lan"],
      sample: ({ name, status }: Lan, emit: Emit) => emit(onHost(name), status?.reason === "" ? 1 : 0),
    },
    ofPort(
      "zor_lan_port_receive_frames_total",
      "Frames that came from what is plugged in.",
      ({ rxFrames }) => rxFrames,
    ),
    ofPort("zor_lan_port_receive_bytes_total", "Bytes that came from what is plugged in.", ({ rxBytes }) => rxBytes),
    ofPort("zor_lan_port_transmit_frames_total", "Frames that went to what is plugged in.", ({ txFrames }) => txFrames),
    ofPort("zor_lan_port_transmit_bytes_total", "Bytes that went to what is plugged in.", ({ txBytes }) => txBytes),
    ofPort(
      "zor_lan_port_dropped_frames_total",
      "Frames that were dropped at a port.",
      ({ droppedFrames }) => droppedFrames,
    ),
  ],
  wire: [
    {
      name: "zor_wire_up",
      type: "gauge",
      help: "Whether frames pass a wire.",
      labels: ["host", "wire"],
      sample: ({ name, status }: Wire, emit: Emit) =>
        emit(onHost(name), status?.state === WireState.WIRE_STATE_ACTIVE ? 1 : 0),
    },
  ],
  link: [
    {
      name: "zor_link_state",
      type: "gauge",
      help: "The state that a link is in; always 1.",
      labels: ["link", "state"],
      sample: ({ name, status }: Link, emit: Emit) =>
        emit([lastOf(name), word(LinkState, status?.state, "LINK_STATE_")], 1),
    },
    ofLink("zor_link_up", "Whether frames cross a link in both directions.", ({ status }) =>
      status?.state === LinkState.LINK_STATE_ACTIVE || status?.state === LinkState.LINK_STATE_DEGRADED ? 1 : 0,
    ),
    ofLink("zor_link_rtt_seconds", "Time from one end of a link to the other and back.", ({ status }) =>
      status?.rtt === undefined ? undefined : toMs(status.rtt) / 1000,
    ),
    ofLink("zor_link_loss_ratio", "Share of probes that are lost, 0 to 1.", ({ status }) => status?.lossRatio),
    ofEnd("zor_link_end_receive_frames_total", "Frames that came out of a link at an end.", ({ rxFrames }) => rxFrames),
    ofEnd("zor_link_end_receive_bytes_total", "Bytes that came out of a link at an end.", ({ rxBytes }) => rxBytes),
    ofEnd("zor_link_end_transmit_frames_total", "Frames that went into a link at an end.", ({ txFrames }) => txFrames),
    ofEnd("zor_link_end_transmit_bytes_total", "Bytes that went into a link at an end.", ({ txBytes }) => txBytes),
    ofEnd(
      "zor_link_end_dropped_frames_total",
      "Frames that were dropped at an end: queue full, link down, or not taken by the port.",
      (end) => end.droppedQueueFrames + end.droppedDownFrames + end.droppedPortFrames,
    ),
  ],
};

type Value<Source> = (source: Source) => number | bigint | undefined;

function ofHost(name: string, type: Sampled<Host>["type"], help: string, value: Value<Host>): Sampled<Host> {
  return { name, type, help, labels: ["host"], sample: (host, emit) => emit([lastOf(host.name)], value(host)) };
}

function ofInstance(
  name: string,
  type: Sampled<Instance>["type"],
  help: string,
  value: Value<Instance>,
): Sampled<Instance> {
  const sample = (instance: Instance, emit: Emit): void => emit(onHost(instance.name), value(instance));
  return { name, type, help, labels: ["host", "instance_id"], sample };
}

function ofPort(name: string, help: string, value: Value<LanPort>): Sampled<Lan> {
  const sample = (lan: Lan, emit: Emit): void => {
    for (const port of lan.status?.ports ?? []) emit([...onHost(lan.name), port.endpoint], value(port));
  };
  return { name, type: "counter", help, labels: ["host", "lan", "endpoint"], sample };
}

function ofLink(name: string, help: string, value: Value<Link>): Sampled<Link> {
  return {
    name,
    type: "gauge",
    help,
    labels: ["link"],
    sample: (link, emit) => emit([lastOf(link.name)], value(link)),
  };
}

function ofEnd(name: string, help: string, value: Value<LinkEnd>): Sampled<Link> {
  const sample = (link: Link, emit: Emit): void => {
    for (const [letter, end] of [["a", link.status?.endA] as const, ["b", link.status?.endB] as const]) {
      if (end !== undefined) emit([lastOf(link.name), letter, end.lan], value(end));
    }
  };
  return { name, type: "counter", help, labels: ["link", "end", "lan"], sample };
}

function lastOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** Ids of host and resource of "hosts/{host}/{collection}/{id}". */
function onHost(name: string): [string, string] {
  return [name.slice("hosts/".length, name.indexOf("/", "hosts/".length)), lastOf(name)];
}

function seconds(time: Date | undefined): number | undefined {
  return time === undefined ? undefined : time.getTime() / 1000;
}

/** The word of an enum's value, "running". */
function word(values: Readonly<Record<number, string>>, value: number | undefined, prefix: string): string {
  return (values[value ?? 0] ?? "").replace(prefix, "").toLowerCase();
}
