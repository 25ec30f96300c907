// The hub as an image for container engines: an OCI layout in a tar, which podman and Docker load.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { pack } from "./archive.mjs";
import { digestOf } from "./files.mjs";
import { architectures } from "./runtime.mjs";

/** The hub is nobody else in its container, and owns nothing but its state. */
const user = 7440;
const state = "/var/lib/zor/hub";
const home = "usr/lib/zorhub";
const ports = { listen: 7440, "join-listen": 7441, "reverse-listen": 7442, "relay-listen": 7445 };

/** What of Debian the programs run with: what Node loads, the shell of the launcher, and what ends tools together with who started them. */
const packages = ["base-files", "dash", "coreutils", "libatomic1", "libc6", "libstdc++6", "perl-base", "util-linux"];
const leftOut = [
  "dev",
  "etc/apt",
  "usr/share/bash-completion",
  "usr/share/doc",
  "usr/share/locale",
  "usr/share/man",
  "var/cache",
  "var/lib/apt",
  "var/lib/dpkg",
  "var/log",
];
/** Programs of hosts, which no hub starts. */
const ofHosts = [
  "agent",
  "cable-engine",
  "cable-worker",
  "box-worker",
  "capture-worker",
  "console-pump",
  "lan-relay",
  "deploy",
];
const parts = ["dist", "zor", "node_modules", "package.json", "THIRD-PARTY-LICENSES", "LICENSE"];

/** Writes the image of a version's hub; tells its file. */
export async function writeImage(directory, manifest, { work, output }) {
  const layout = join(work, "layout");
  const blobs = join(layout, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const place = { work, blobs };
  const layers = [
    await baseLayer(manifest, place),
    await stateLayer(manifest, place),
    await programLayer(directory, manifest, place),
  ];
  const { version, revision, arch, seconds } = manifest;
  const created = new Date(seconds * 1000).toISOString().replace(/\.\d+Z/, "Z");
  const listens = Object.entries(ports).flatMap(([name, port]) => [`--${name}`, `0.0.0.0:${port}`]);
  const config = putBlob(blobs, {
    architecture: architectures[arch].oci,
    os: "linux",
    created,
    config: {
      User: `${user}:${user}`,
      Env: ["PATH=/usr/local/bin:/usr/bin:/bin", `ZOR_CONFIG=${state}/context`],
      Entrypoint: [`/${home}/zor`],
      Cmd: ["hub", "run", "--state", state, ...listens],
      WorkingDir: "/",
      Volumes: { [state]: {} },
      ExposedPorts: Object.fromEntries(Object.values(ports).map((port) => [`${port}/tcp`, {}])),
      StopSignal: "SIGTERM",
      Labels: {
        "org.opencontainers.image.title": "Zorhub hub",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.revision": revision,
        "org.opencontainers.image.licenses": "Apache-2.0",
      },
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ unpacked }) => `sha256:${unpacked}`) },
    history: layers.map(({ about }) => ({ created, created_by: about })),
  });
  const media = "application/vnd.oci.image";
  const image = putBlob(blobs, {
    schemaVersion: 2,
    mediaType: `${media}.manifest.v1+json`,
    config: { mediaType: `${media}.config.v1+json`, ...config },
    layers: layers.map(({ digest, size }) => ({ mediaType: `${media}.layer.v1.tar+gzip`, digest, size })),
  });
  // No engine looks for it in a registry of the world.
  const name = `localhost/zorhub-hub:${version}`;
  const annotations = {
    "org.opencontainers.image.ref.name": name,
    "io.containerd.image.name": name,
  };
  const platform = { architecture: architectures[arch].oci, os: "linux" };
  const entry = { mediaType: `${media}.manifest.v1+json`, ...image, annotations, platform };
  putJson(join(layout, "index.json"), { schemaVersion: 2, mediaType: `${media}.index.v1+json`, manifests: [entry] });
  putJson(join(layout, "oci-layout"), { imageLayoutVersion: "1.0.0" });
  // Docker before 25 reads only this.
  const blob = ({ digest }) => `blobs/sha256/${digest.slice("sha256:".length)}`;
  putJson(join(layout, "manifest.json"), [{ Config: blob(config), RepoTags: [name], Layers: layers.map(blob) }]);
  const file = join(output, `zorhub-hub-${version}-${arch}.oci.tar`);
  await pack(file, { base: layout, from: ".", seconds, compress: false });
  return file;
}

/** A Debian of the fewest packages that the programs run with. No package is configured: what that would make is written here. */
async function baseLayer({ arch, seconds }, { work, blobs }) {
  const release = readFileSync("/etc/os-release", "utf8");
  const suite = /^VERSION_CODENAME=(.*)$/m.exec(release)?.[1];
  const sources = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"].find((path) => existsSync(path));
  if (suite === undefined || sources === undefined)
    throw new Error("the image is made on Debian only, from its package sources");
  const file = join(work, "base.tar");
  const argv = ["--quiet", "--variant=extract", `--architectures=${architectures[arch].debian}`];
  argv.push(`--include=${packages.join(",")}`, '--aptopt=APT::Sandbox::User "root"', "--format=tar");
  const env = { ...process.env, SOURCE_DATE_EPOCH: `${seconds}` };
  execFileSync("mmdebstrap", [...argv, suite, file, sources], { stdio: ["ignore", "inherit", "inherit"], env });
  const tree = join(work, "base");
  mkdirSync(tree);
  execFileSync("tar", ["-xf", file, "-C", tree, "--no-same-owner", ...leftOut.map((path) => `--exclude=./${path}`)]);
  const files = {
    "etc/passwd": `root:x:0:0:root:/root:/bin/sh\nzor:x:${user}:${user}:Zorhub hub:${state}:/bin/sh\n`,
    "etc/group": `root:x:0:\nzor:x:${user}:\n`,
    "etc/nsswitch.conf": "hosts: files dns\n",
  };
  for (const [path, content] of Object.entries(files)) writeFileSync(join(tree, path), content);
  for (const path of ["etc/zor", "usr/local/bin"]) mkdirSync(join(tree, path), { recursive: true });
  symlinkSync(`/${home}/zor`, join(tree, "usr/local/bin/zor"));
  await pack(file, { base: tree, from: ".", seconds, mode: "a+X", compress: false });
  rmSync(tree, { recursive: true });
  return putLayer(blobs, file, `Debian ${suite}: ${packages.join(" ")}`);
}

/** The directory of its state, which a new volume is made like. */
async function stateLayer({ seconds }, { work, blobs }) {
  const tree = join(work, "state");
  mkdirSync(join(tree, state), { recursive: true });
  const file = join(work, "state.tar");
  await pack(file, { base: tree, from: state.slice(1), seconds, owner: user, mode: "u=rwx,go=", compress: false });
  return putLayer(blobs, file, "the hub's state");
}

async function programLayer(directory, { seconds, files, ...manifest }, { work, blobs }) {
  const tree = join(work, "programs");
  for (const path of parts) {
    mkdirSync(dirname(join(tree, home, path)), { recursive: true });
    cpSync(join(directory, path), join(tree, home, path), { recursive: true });
  }
  for (const name of ofHosts) rmSync(join(tree, home, `dist/${name}.js`));
  putJson(join(tree, home, "manifest.json"), manifest);
  const file = join(work, "programs.tar");
  await pack(file, { base: tree, from: ".", seconds, compress: false });
  rmSync(tree, { recursive: true });
  return putLayer(blobs, file, `Zorhub ${manifest.id}`);
}

/** Compresses a layer; its digest is told both ways. */
function putLayer(blobs, file, about) {
  const unpacked = digestOf(file);
  execFileSync("gzip", ["-n", "-6", "-f", file]);
  const digest = digestOf(`${file}.gz`);
  renameSync(`${file}.gz`, join(blobs, digest));
  return { digest: `sha256:${digest}`, size: statSync(join(blobs, digest)).size, unpacked, about };
}

function putBlob(blobs, content) {
  const text = JSON.stringify(content);
  const digest = createHash("sha256").update(text).digest("hex");
  writeFileSync(join(blobs, digest), text);
  return { digest: `sha256:${digest}`, size: Buffer.byteLength(text) };
}

function putJson(file, content) {
  writeFileSync(file, JSON.stringify(content));
}
