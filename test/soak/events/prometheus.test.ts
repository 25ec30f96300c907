import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { certificatesOf, fileOf } from "./scrape-files.js";
import { figuresOfMetrics } from "../../../lib/metrics/figure-families.js";
import { hubServerName } from "../../../lib/tls/join.js";
import { WatchFiguresResponse } from "../../../proto/gen/zor/v1/figures_service.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { eventually } from "../../helpers/eventually.js";
import { freePort } from "../../helpers/free-port.js";
import { spawnOwned } from "../../helpers/owned.js";
import { runTag } from "../../helpers/run-tag.js";
import { HubFixture } from "../../integration/hub/fixture.js";

// Needs Debian's package prometheus, which has promtool.
const token = "what-only-prometheus-knows";
/** A value of each figure that metrics are made of, of each sort of thing that is measured. */
const measured = WatchFiguresResponse.fromPartial({
  ...{ host: "hosts/alpha", timeMillis: 1n, anew: true },
  subjects: [
    ["hosts/alpha", ""],
    ["hosts/alpha", "disk:sda"],
    ["hosts/alpha", "sensor:pkg"],
    ["hosts/alpha/instances/vm1", ""],
    ["hosts/alpha/wires/w1", "a"],
    ["links/l1", "hosts/alpha/lans/lan1"],
  ].map(([name = "", part = ""], number) => ({ number, name, part, figures: [...figuresOfMetrics] })),
  steps: figuresOfMetrics.flatMap(() => [1, 1, 1, 1, 1, 1]),
  changes: figuresOfMetrics.flatMap(() => [1n, 2n, 3n, 4n, 5n, 6n]),
});
let directory: string;
let fixture: HubFixture;
let api: string;
let undo: AsyncDisposableStack;

beforeAll(async () => {
  await using begun = new AsyncDisposableStack();
  directory = await mkdtemp(join(tmpdir(), `${runTag}-prom-`));
  begun.defer(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, "token"), `${token}\n`);
  const settings = { metricsListen: ["127.0.0.1:0"], metricsTokenFile: join(directory, "token") };
  fixture = begun.use(await HubFixture.start({ settings }));
  const host = await fixture.addHost("alpha");
  for (const id of ["lan1", "lan2"]) host.model.addLan(id);
  host.model.figures = measured;
  await writeFile(join(directory, "ca.pem"), await certificatesOf(fixture.hub.adminDirectory));
  await writeFile(join(directory, "alerts.yml"), await readFile(fileOf("alerts.yml")));
  const [address = ""] = fixture.hub.metricsAddresses;
  const config = (await readFile(fileOf("prometheus.yml"), "utf8"))
    .replace("127.0.0.1:7449", address)
    .replace("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s");
  await writeFile(join(directory, "prometheus.yml"), config);
  const port = await freePort();
  api = `http://127.0.0.1:${port}/api/v1`;
  const flags = [`--storage.tsdb.path=${join(directory, "data")}`, `--web.listen-address=127.0.0.1:${port}`];
  const child = spawnOwned("prometheus", [`--config.file=${join(directory, "prometheus.yml")}`, ...flags], {
    stdio: "ignore",
  });
  begun.defer(
    () =>
      new Promise<void>((resolve) => {
        child.once("close", () => resolve());
        child.kill("SIGTERM");
      }),
  );
  undo = begun.move();
});

afterAll(() => undo[Symbol.asyncDispose]());

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

async function query(expression: string): Promise<readonly Sample[]> {
  const answer = await fetch(`${api}/query?query=${encodeURIComponent(expression)}`);
  const body = (await answer.json()) as { status: string; error?: string; data: { result: readonly Sample[] } };
  expect(body.status, `${expression}: ${body.error ?? ""}`).toBe("success");
  return body.data.result;
}

/** /metrics as Prometheus gets it. */
async function scrape(): Promise<string> {
  const [address = ""] = fixture.hub.metricsAddresses;
  const ca = await readFile(join(directory, "ca.pem"));
  const options = { ca, servername: hubServerName, headers: { authorization: `Bearer ${token}` }, agent: false };
  return await new Promise((resolve, reject) => {
    request(`https://${address}/metrics`, options, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      answer.on("end", () => resolve(text));
    })
      .on("error", reject)
      .end();
  });
}

describe("a real Prometheus", () => {
  it("scrapes the hub as deploy/prometheus says, and finds the fleet", async () => {
    await eventually(async () => {
      expect((await query('up{job="zorhub"}')).map(({ value }) => value[1])).toEqual(["1"]);
      expect((await query("zor_host_up")).map(({ metric, value }) => [metric["host"], value[1]])).toEqual([
        ["alpha", "1"],
      ]);
    });
    await eventually(async () => {
      expect(await query("zor_instance_cpu_seconds_total")).toMatchObject([
        { metric: { host: "alpha", instance_id: "vm1" } },
      ]);
      expect((await query("count(zor_host_cpu_seconds_total)")).map(({ value }) => value[1])).toEqual(["6"]);
    });
    await eventually(async () => {
      expect((await query("count(zor_lan_ports)")).map(({ value }) => value[1])).toEqual(["2"]);
    });
  });

  it("takes the text and the rules for right, by promtool", async () => {
    await run("promtool", ["check", "rules", fileOf("alerts.yml")]);
    await run("promtool", ["check", "config", join(directory, "prometheus.yml")]);
    // Exit code 3 is for remarks about names; there are none.
    const { stderr, exitCode } = await run("promtool", ["check", "metrics"], {
      input: await scrape(),
      acceptedExitCodes: [0, 1, 3],
    });
    expect([exitCode, stderr]).toEqual([0, ""]);
  });

  it("understands every expression of the dashboard", async () => {
    const dashboard = JSON.parse(await readFile(fileOf("grafana-dashboard.json"), "utf8")) as {
      panels: readonly { title: string; targets: readonly { expr: string }[] }[];
    };
    expect(dashboard.panels.length).toBeGreaterThan(10);
    for (const { targets } of dashboard.panels) {
      for (const { expr } of targets) await query(expr.replaceAll("$host", ".*"));
    }
  });

  it("raises the alert of a host that is lost", async () => {
    await fixture.admin.unary(HostServiceService.createHost, CreateHostRequest.fromPartial({ hostId: "beta" }));
    const alerts = async (): Promise<readonly string[]> => {
      const body = (await (await fetch(`${api}/alerts`)).json()) as {
        data: { alerts: readonly { labels: Readonly<Record<string, string>> }[] };
      };
      return body.data.alerts.map(({ labels }) => `${labels["alertname"]} ${labels["host"]}`);
    };
    await eventually(async () => expect(await alerts()).toContain("ZorHostUnreachable beta"));
  });
});
