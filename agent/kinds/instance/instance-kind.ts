import { FilterMembers } from "./filter-members.js";
import { join } from "node:path";
import { ConsoleServiceService } from "../../../proto/gen/zor/v1/console_service.js";
import { DiskServiceService } from "../../../proto/gen/zor/v1/disk_service.js";
import { ForwardServiceService } from "../../../proto/gen/zor/v1/forward_service.js";
import { ExecServiceService } from "../../../proto/gen/zor/v1/exec_service.js";
import { InstanceLogServiceService } from "../../../proto/gen/zor/v1/log_service.js";
import { StatisticsServiceService } from "../../../proto/gen/zor/v1/statistics_service.js";
import { ScreenServiceService } from "../../../proto/gen/zor/v1/screen_service.js";
import { readBoot } from "../../host/boot.js";
import { readLimits } from "../../host/resources.js";
import type { KindModule, KindPart } from "../../kit/context.js";
import { serve } from "../../kit/serve.js";
import type { AgentContext } from "../../parts.js";
import { Access } from "./access.js";
import { consoleService } from "./console-service.js";
import { copyMethods } from "./copy-service.js";
import { diskService } from "./disk-service.js";
import { execService } from "./exec-service.js";
import { forwardService } from "./forward-service.js";
import { logService } from "./log-service.js";
import { screenService } from "./screen-service.js";
import { statisticsService } from "./statistics-service.js";
import { instanceMethods } from "./instance-service.js";
import { InstanceStore } from "./instance-store.js";
import { InstanceManager } from "./manager.js";
import { observeForever } from "./observer.js";
import { toInstance } from "./record.js";
import { volumesOf } from "./volumes.js";

/** Instances, for the list of kinds. */
export const instanceKind: KindModule<AgentContext> = { kind: "instance", open };

/** Adopts what runs on the host and serves it. */
async function open(context: AgentContext): Promise<KindPart> {
  const { host, state, settings, parts, references, holders, publisher, scope, operations, logError, now, signal } =
    context;
  const { sessions } = context;
  const { drivers, network } = parts;
  const networks = network.createInstanceNetworks({
    findMtu: (lan) => references.find("lan", lan)?.spec?.mtu,
  });
  const members = new FilterMembers(() => networks.filters?.refresh());
  networks.filters?.follow(members);
  const manager = new InstanceManager(
    {
      ...{ host, drivers, references, holders, logError, now },
      limits: readLimits(),
      memoryReserveMib: settings.memoryReserveMib,
      boot: await readBoot(),
      store: new InstanceStore(join(state, "instances"), context.write),
      networks,
      publish: (record) => {
        const resource = toInstance(record);
        holders.set(resource.name, volumesOf(record));
        publisher.publish("instance", resource);
        members.seen(resource);
        access.changed(resource);
      },
      emit: (event) => publisher.event(event),
    },
    ({ stored: { id, resource } }) => {
      holders.set(resource.name, []);
      publisher.removed("instance", resource.name);
      members.gone(resource.name);
      access.removed(id, resource.uid);
    },
    {
      publish: (instance) => publisher.publish("instance", instance),
      removed: (name) => publisher.removed("instance", name),
    },
  );
  const access = new Access(manager);
  context.instances.set(access);
  await manager.adoptAll(signal);
  await access.settleAll();
  return {
    methods: [
      copyMethods({ ...context, access }),
      ...instanceMethods({ scope, manager, operations, references, signal }),
      serve(ConsoleServiceService, consoleService({ scope, manager, sessions })),
      serve(InstanceLogServiceService, logService({ scope, manager })),
      serve(ExecServiceService, execService({ scope, manager, sessions })),
      serve(ForwardServiceService, forwardService({ scope, manager })),
      serve(DiskServiceService, diskService({ scope, manager, access })),
      serve(ScreenServiceService, screenService({ scope, manager })),
      serve(StatisticsServiceService, statisticsService({ scope, manager })),
    ],
    source: manager,
    run: async (until) => {
      const intervalMs = settings.observeSeconds * 1000;
      await Promise.all([
        observeForever({ manager, drivers, intervalMs, logError }, until),
        manager.startUnasked(until),
        manager.discoveries.follow(until),
        context.schedules.run(access, until),
      ]);
    },
    shutdownGuests: (report, until) => manager.endWithHost(report, until),
    close: async () => {
      await Promise.all(drivers.map((driver) => driver.detach()));
    },
  };
}
