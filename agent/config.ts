import { isIP } from "node:net";
import { isAbsolute, resolve } from "node:path";
import { z } from "zod";
import type { AllowedNetworks } from "../lib/hooks/hook-address.js";
import { type HookConfig, hookSettings } from "../lib/hooks/hook-config.js";
import { metricsSettings } from "../lib/metrics/metrics-config.js";
import { type TracesConfig, tracesSettings } from "../lib/traces/traces-config.js";
import { type AllowedListen, allowedListenSchema, usualListen } from "../lib/listen-policy.js";
import { isId } from "../lib/names.js";
import { packagedImages } from "../lib/program.js";
import { addressForm, isDnsName, parseHostPort } from "../lib/socket-address.js";
import { type ContainerCapability, findCapability } from "./drivers/containers/capabilities.js";
import { type ContainerPolicy, containerPolicySettings } from "./drivers/containers/container-policy.js";
import type { DiskLimits } from "./drivers/disk-quota.js";
import { dockerSocket } from "./drivers/docker/docker-driver.js";
import type { AllowedRegistry } from "./drivers/engine-api/registry-policy.js";
import { type HostShellPolicy, hostShellSchema } from "./host/shell/shell-policy.js";
import { usbDevicePattern } from "./drivers/qemu/usb-device-name.js";
import type { SharedDirectory } from "./drivers/qemu/hardware/part.js";
import { podmanSocket } from "./drivers/podman/podman-driver.js";
import { type AllowedPhys, allowedPhysSchema } from "./network/phys/phy-policy.js";
import { allowedBridgeSchema } from "./network/joins/join-policy.js";
import {
  type AllowedCollectors,
  allowedCollectorsSchema,
  type AllowedControllers,
  allowedControllersSchema,
} from "./network/outlets/outlet-policy.js";
import { type AllowedTaps, allowedTapsSchema } from "./network/taps/tap-policy.js";
import { type AllowedVteps, allowedVtepsSchema } from "./network/vteps/vtep-policy.js";
import { type AllowedPool, allowedPoolSchema } from "./storage/pool-policy.js";

const id = z.string().refine(isId, 'use 1 to 63 letters, digits, "-", "_" or ".", starting with a letter or digit');
const ip = z
  .string()
  .refine((text) => isIP(text) !== 0 || isDnsName(text), 'expected an IP address such as "10.0.0.1", or a name');
const address = z.string().refine((text) => parseHostPort(text) !== undefined, `expected ${addressForm}`);
const capability = z.string().transform((text, context): ContainerCapability => {
  const found = findCapability(text);
  if (found !== undefined) return found;
  context.addIssue({
    code: "custom",
    message: 'expected the name of a capability, such as "SYS_ADMIN"; see capabilities(7)',
  });
  return z.NEVER;
});
const usbDevice = z
  .string()
  .regex(usbDevicePattern, { error: 'must be a USB device such as "046d:c52b", or where it is plugged in: "1-2.3"' });
const pciAddress = z
  .string()
  .regex(/^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/, 'expected a PCI address such as "0000:3b:00.0"');
const path = z
  .string()
  .min(1)
  .transform((text) => (isAbsolute(text) ? text : resolve(text)));

const mib = z
  .number()
  .int()
  .min(0)
  .max(2 ** 40);

/** How much of the host's disk instances may have; see {@link DiskLimits}. */
const diskSchema = z.strictObject({
  instanceMib: mib.optional(),
  totalMib: mib.optional(),
  reserveMib: mib.optional(),
  containerMib: z
    .number()
    .int()
    .refine((size) => size === 0 || (size >= 16 && size <= 16 * 1024 * 1024), "use 0 for no bound, or 16 MiB to 16 TiB")
    .optional(),
});

/** A registry's images that engines may fetch; see {@link AllowedRegistry}. */
const registrySchema = z
  .strictObject({
    images: z
      .string()
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9.:-]{0,254}(\/[a-z0-9._-]{1,128}){0,16}$/,
        'expected a registry or a path in one, such as "docker.io/library"',
      ),
    username: z.string().min(1).max(256).optional(),
    passwordFile: path.optional(),
  })
  .refine(({ username, passwordFile }) => (username === undefined) === (passwordFile === undefined), {
    message: "username and passwordFile go together",
  });

/** A connection URI of libvirt; it goes to virsh as one argument. */
const libvirtUri = z
  .string()
  .regex(
    /^[a-z][a-z0-9]*(?:\+[a-z0-9]+)?:\/\/[\x21-\x7e]{0,1000}$/,
    'expected a connection URI of libvirt, such as "qemu:///system"',
  );

/** Settings of an agent as flags, environment and the YAML file give them. Unset ones are filled in by {@link settle}. */
export const agentConfigSchema = z.strictObject({
  host: id.optional(),
  state: path.default("/var/lib/zor/agent"),
  listen: z.array(address).min(1).optional(),
  underlay: z.array(ip).optional(),
  cableListen: address.optional(),
  imageDirs: z.array(path).optional(),
  recipeDirs: z.array(path).optional(),
  netns: id.optional(),
  dialOut: z.boolean().optional(),
  undialable: z.boolean().optional(),
  allowPlainLinks: z.boolean().optional(),
  containerCapabilities: z.array(capability).optional(),
  dockerSocket: path.optional(),
  podmanSocket: path.optional(),
  registries: z.array(registrySchema).max(256).optional(),
  libvirt: z.array(libvirtUri).max(32).optional(),
  ...containerPolicySettings,
  qemuArguments: z.boolean().optional(),
  pciDevices: z.array(pciAddress).optional(),
  usbDevices: z.array(usbDevice).optional(),
  machineShares: containerPolicySettings.containerMounts,
  disk: diskSchema.default({}),
  backupDirs: z.array(path).optional(),
  storagePools: z.array(allowedPoolSchema).max(256).optional(),
  diskAppliance: path.optional(),
  natListen: z.array(allowedListenSchema).max(256).optional(),
  netbootDirs: z.array(path).max(256).optional(),
  taps: z.array(allowedTapsSchema).max(256).optional(),
  phys: z.array(allowedPhysSchema).max(256).optional(),
  bridges: z.array(allowedBridgeSchema).max(256).optional(),
  hostOvsSocket: path.optional(),
  vteps: z.array(allowedVtepsSchema).max(256).optional(),
  collectors: z.array(allowedCollectorsSchema).max(256).optional(),
  controllers: z.array(allowedControllersSchema).max(256).optional(),
  memoryReserveMib: mib.optional(),
  hooks: hookSettings.hooks.optional(),
  hookNetworks: hookSettings.hookNetworks.optional(),
  metricsListen: metricsSettings.metricsListen.optional(),
  metricsTokenFile: metricsSettings.metricsTokenFile.optional(),
  tracesEndpoint: tracesSettings.tracesEndpoint.optional(),
  tracesServiceName: tracesSettings.tracesServiceName.optional(),
  tracesSampler: tracesSettings.tracesSampler.optional(),
  tracesRatio: tracesSettings.tracesRatio.optional(),
  tracesCaFile: tracesSettings.tracesCaFile.optional(),
  captureDevices: z
    .array(z.string().regex(/^[^\s/:]{1,15}$/, 'expected the name of a device, such as "eth0"'))
    .max(64)
    .optional(),
  hostShell: hostShellSchema.optional(),
  observeSeconds: z.number().min(0.1).max(3600).default(5),
  figuresMib: z
    .number()
    .int()
    .refine((size) => size === 0 || (size >= 4 && size <= 4096), "use 0 for no history of figures, or 4 to 4096 MiB")
    .default(64),
});

/** What the sources of settings gave. */
export type AgentConfig = z.output<typeof agentConfigSchema>;

/** What joining left behind: defaults that fit how the host was registered. */
export interface JoinDefaults {
  readonly host: string;
  readonly listen: readonly string[];
  readonly underlay: readonly string[];
  readonly dialOut: boolean;
  readonly undialable: boolean;
}

/** All settings of a running agent. */
export interface AgentSettings {
  readonly host: string;
  /** Absolute path of the state directory. */
  readonly state: string;
  /** Addresses ("ip:port") of the API. */
  readonly listen: readonly string[];
  /** Addresses for links, best first. */
  readonly underlay: readonly string[];
  /** Address ("ip:port") of the cable engine. */
  readonly cableListen: string;
  readonly imageDirs: readonly string[];
  /** Directories with recipes that images may be built by. */
  readonly recipeDirs: readonly string[];
  /** Net namespace of the switch. */
  readonly netns: string;
  readonly dialOut: boolean;
  readonly undialable: boolean;
  /** Links may go without encryption. */
  readonly allowPlainLinks: boolean;
  /** Capabilities beyond the default ones that containers may ask for. */
  readonly containerCapabilities: readonly ContainerCapability[];
  /** Sockets of the host's container engines. */
  readonly engines: { readonly docker: string; readonly podman: string };
  /** Images that engines may fetch, and who the agent is there. */
  readonly registries: readonly AllowedRegistry[];
  /** Connection URIs of libvirts whose domains are shown. */
  readonly libvirt: readonly string[];
  /** What containers may have of the host. */
  readonly containers: ContainerPolicy;
  /** Machines may be given arguments of QEMU as they are, which makes whoever gives them owner of the host. */
  readonly qemuArguments: boolean;
  /** Addresses of the host's PCI devices that machines may be given. */
  readonly pciDevices: readonly string[];
  /** The host's USB devices that machines may be given, by vendor and product or by where they are plugged in. */
  readonly usbDevices: readonly string[];
  /** Directories of the host that machines may share, or anything in them. */
  readonly machineShares: readonly SharedDirectory[];
  readonly disk: DiskLimits;
  /** Directory of the machine that looks into disks, made by libguestfs-make-fixed-appliance(1); undefined: one is made when it is needed. */
  readonly diskAppliance: string | undefined;
  /** Directories that backups may be written to; none: no backups are taken. */
  readonly backupDirs: readonly string[];
  /** What pools may be made of beside the one that is always there: whoever makes pools writes there. */
  readonly storagePools: readonly AllowedPool[];
  /** What nats may listen on for their forwards. */
  readonly natListen: readonly AllowedListen[];
  /** Directories that nats may serve files of to guests that start over the network, or of what is in them. */
  readonly netbootDirs: readonly string[];
  /** Where taps may be, and with which addresses; none: nowhere. */
  readonly taps: readonly AllowedTaps[];
  /** Which interfaces of the host phys may take, and how; none: none. */
  readonly phys: readonly AllowedPhys[];
  /** Bridges of the host that lans may be joined with: names, or with "*" at the end the beginning of names; none: no bridge. */
  readonly bridges: readonly string[];
  /** Socket of the database of the host's own Open vSwitch. */
  readonly hostOvsSocket: string;
  /** Where vteps may lead; none: nowhere. */
  readonly vteps: readonly AllowedVteps[];
  /** Whom lans may tell of their traffic; none: nobody. */
  readonly collectors: readonly AllowedCollectors[];
  /** To which controllers lans may be given, with keys for TLS; none: to none. */
  readonly controllers: readonly AllowedControllers[];
  /** Memory of the host that stays free when a machine starts, MiB. */
  readonly memoryReserveMib: number;
  /** Whom events are told to; default: nobody. */
  readonly hooks?: readonly HookConfig[];
  /** Networks beside the public ones that webhooks may go to. */
  readonly hookNetworks?: AllowedNetworks;
  /** Addresses of /metrics; default: it is not served. */
  readonly metricsListen?: readonly string[];
  /** File with a token that readers of it may show instead of a client certificate. */
  readonly metricsTokenFile?: string | undefined;
  /** Where spans of calls go; default: none are made. */
  readonly traces?: TracesConfig;
  readonly observeSeconds: number;
  /** Size of the file with the history of figures; 0: there is none. */
  readonly figuresMib: number;
  /** Devices of the host's own that operators may capture at: they see all of its traffic there. */
  readonly captureDevices: readonly string[];
  /** Whom the host gives a shell, and how; default: nobody. */
  readonly hostShell?: HostShellPolicy | undefined;
}

const defaultListen = "127.0.0.1:7443";
const defaultCableListen = "127.0.0.1:7444";
const defaultHostOvsSocket = "/run/openvswitch/db.sock";
const defaultImageDir = "/var/lib/zor/images";
const defaultRecipeDir = "/var/lib/zor/recipes";

/** Fills in what was not set, from how the host joined and the defaults. `joined` is undefined on a host that never did. */
export function settle(config: AgentConfig, joined: JoinDefaults | undefined, host: string): AgentSettings {
  return {
    host,
    state: config.state,
    listen: config.listen ?? joined?.listen ?? [defaultListen],
    underlay: config.underlay ?? joined?.underlay ?? [],
    cableListen: config.cableListen ?? defaultCableListen,
    recipeDirs: config.recipeDirs ?? [`${config.state}/recipes`, defaultRecipeDir],
    imageDirs: config.imageDirs ?? [`${config.state}/images`, defaultImageDir, packagedImages],
    netns: config.netns ?? `zor-${host}`,
    dialOut: config.dialOut ?? joined?.dialOut ?? false,
    undialable: config.undialable ?? joined?.undialable ?? false,
    allowPlainLinks: config.allowPlainLinks ?? false,
    containerCapabilities: config.containerCapabilities ?? [],
    engines: { docker: config.dockerSocket ?? dockerSocket, podman: config.podmanSocket ?? podmanSocket },
    registries: config.registries ?? [],
    libvirt: config.libvirt ?? [],
    containers: {
      mounts: config.containerMounts ?? [],
      devices: config.containerDevices ?? [],
      privileged: config.privilegedContainers ?? false,
    },
    qemuArguments: config.qemuArguments ?? false,
    pciDevices: config.pciDevices ?? [],
    usbDevices: config.usbDevices ?? [],
    machineShares: config.machineShares ?? [],
    disk: config.disk,
    backupDirs: config.backupDirs ?? [],
    storagePools: config.storagePools ?? [],
    diskAppliance: config.diskAppliance,
    natListen: config.natListen ?? usualListen,
    netbootDirs: config.netbootDirs ?? [],
    taps: config.taps ?? [],
    phys: config.phys ?? [],
    bridges: config.bridges ?? [],
    hostOvsSocket: config.hostOvsSocket ?? defaultHostOvsSocket,
    vteps: config.vteps ?? [],
    collectors: config.collectors ?? [],
    controllers: config.controllers ?? [],
    memoryReserveMib: config.memoryReserveMib ?? 256,
    hooks: config.hooks ?? [],
    hookNetworks: config.hookNetworks ?? [],
    metricsListen: config.metricsListen ?? [],
    metricsTokenFile: config.metricsTokenFile,
    traces: config,
    observeSeconds: config.observeSeconds,
    figuresMib: config.figuresMib,
    captureDevices: config.captureDevices ?? [],
    hostShell: config.hostShell,
  };
}
