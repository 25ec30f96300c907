import type { KeptSettings } from "../lib/config-check.js";
import type { AgentConfig } from "./config.js";

/**
 * What a setting of an agent is. "plain": how it is reached and watched. "policy": what the host allows, or keeps for itself; only who
 * administers the host says so, there, so that neither a hub nor a tool that works on many hosts can widen it. "identity": what the host
 * is; guests and certificates depend on it.
 */
const natures: Readonly<Record<keyof AgentConfig, "plain" | "policy" | "identity">> = {
  host: "identity",
  state: "identity",
  netns: "identity",
  listen: "plain",
  underlay: "plain",
  cableListen: "plain",
  dialOut: "plain",
  undialable: "plain",
  metricsListen: "plain",
  metricsTokenFile: "plain",
  tracesEndpoint: "plain",
  tracesServiceName: "plain",
  tracesSampler: "plain",
  tracesRatio: "plain",
  tracesCaFile: "plain",
  observeSeconds: "plain",
  figuresMib: "plain",
  imageDirs: "policy",
  recipeDirs: "policy",
  allowPlainLinks: "policy",
  containerCapabilities: "policy",
  containerDevices: "policy",
  containerMounts: "policy",
  dockerSocket: "policy",
  podmanSocket: "policy",
  registries: "policy",
  libvirt: "policy",
  privilegedContainers: "policy",
  qemuArguments: "policy",
  pciDevices: "policy",
  usbDevices: "policy",
  machineShares: "policy",
  disk: "policy",
  backupDirs: "policy",
  storagePools: "policy",
  diskAppliance: "policy",
  natListen: "policy",
  netbootDirs: "policy",
  taps: "policy",
  phys: "policy",
  bridges: "policy",
  hostOvsSocket: "policy",
  vteps: "policy",
  collectors: "policy",
  controllers: "policy",
  memoryReserveMib: "policy",
  hooks: "policy",
  hookNetworks: "policy",
  captureDevices: "policy",
  hostShell: "policy",
};

const reasons = {
  policy: "it is the host's policy, which only who administers the host changes, in its file there",
  identity: "guests and certificates of this host depend on it; a host with another one is installed anew",
} as const;

/** Settings that are changed on the host alone, each with the reason. */
export const keptOnHost: KeptSettings = Object.fromEntries(
  Object.entries(natures).flatMap(([key, nature]) => (nature === "plain" ? [] : [[key, reasons[nature]]])),
);
