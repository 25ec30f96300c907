import { afterEach, beforeEach, expect, it } from "vitest";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { ApiFixture } from "./api-fixture.js";

let api: ApiFixture;
beforeEach(async () => {
  api = await ApiFixture.start();
});
afterEach(() => api.close());

it("tells watchers that it ends rather than waiting for them", async () => {
  const watcher = api.connect(await api.pki.user("vic", Role.ROLE_VIEWER));
  const watch = watcher.stream(WatchServiceService.watch, WatchRequest.fromPartial({ bookmarkSeconds: 1 }));
  const steps = watch[Symbol.asyncIterator]();
  await steps.next();
  const toEnd = async () => {
    while ((await steps.next()).done !== true);
  };
  const ended = expect(toEnd()).rejects.toMatchObject({ reason: "ENDING" });
  await api.restart();
  await ended;
});
