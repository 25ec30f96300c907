import { ImageTransferServiceService } from "../../../proto/gen/zor/agent/v1/image_transfer_service.js";
import { DiskQuota } from "../../drivers/disk-quota.js";
import { FetchTickets } from "../../images/fetch-tickets.js";
import { imageRoom } from "../../images/image-room.js";
import { Incoming } from "../../images/incoming.js";
import type { KindModule, KindPart } from "../../kit/context.js";
import { serve } from "../../kit/serve.js";
import type { AgentContext } from "../../parts.js";
import { ImageBuilder } from "./build.js";
import { imageMethods } from "./image-service.js";
import { Images } from "./images.js";
import { savedImages } from "./save.js";
import { transferService } from "./transfer-service.js";

/** Images, for the list of kinds; after instances, which use them. */
export const imageKind: KindModule<AgentContext> = { kind: "image", open };

async function open(context: AgentContext): Promise<KindPart> {
  const { state, settings, scope, operations, now } = context;
  const images = await Images.open(context);
  const room = imageRoom(new DiskQuota({ directory: state, limits: settings.disk }));
  const options = { images, room, scope, now, incoming: await Incoming.open(state) };
  context.savedImages.set(savedImages(options));
  const builder = new ImageBuilder(options, settings.recipeDirs);
  return {
    methods: [
      ...imageMethods({ ...options, operations, builder }),
      serve(
        ImageTransferServiceService,
        transferService({ ...options, tickets: new FetchTickets(), peer: context.peer }),
      ),
    ],
    source: images,
    close: async () => images.close(),
  };
}
