// npm run package: makes what hosts are installed from.
import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeArchive } from "./archive.mjs";
import { writeDebs } from "./deb.mjs";
import { writeImage } from "./oci.mjs";
import { writeOffline } from "./offline.mjs";
import { architectures } from "./runtime.mjs";
import { writeVersion } from "./version.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
/** Made unless kinds are named. */
const usual = ["archive", "deb", "oci"];
const kinds = [...usual, "offline"];
const usage = `npm run package -- [OPTIONS]

Makes what hosts are installed from; docs/deploy.md says how each is used:
  archive   zorhub-VERSION-ARCH.tar.gz with bundles, Node, the micro image and units, and its .json
  deb       zorhub-common, zorhub-agent and zorhub-hub (needs dpkg-deb)
  oci       zorhub-hub-VERSION-ARCH.oci.tar, the hub for podman and Docker
            (needs mmdebstrap and Debian's package sources)
  offline   offline-RELEASE-ARCH, a directory of Debian's own packages for hosts
            without internet: zor host install --debs DIR (needs apt-get and
            Debian's package sources)

Options:
  --only KIND,...   only these kinds (default: archive,deb,oci)
  --release NAME    for offline: bookworm or trixie, or what this machine runs
                    (default: that)
  --arch ARCH       x64 or arm64 (default: this machine's); arm64 comes without
                    the micro guest image, which is built for x64 only
  --image DIR       where the micro guest image is
                    (default: /var/lib/zor/images/micro)
  --output DIR      where the files go (default: .zor/package)

The same commit gives the same bytes. Each file that was made is a line of output.

Examples:
  npm run package
  npm run package -- --only archive --output /tmp/zorhub
  npm run package -- --arch arm64 --only archive
  npm run package -- --only offline --release trixie`;

function readOptions() {
  const text = { type: "string" };
  const options = {
    only: text,
    arch: text,
    image: text,
    output: text,
    release: text,
    help: { type: "boolean", short: "h" },
  };
  const { values } = parseArgs({ options });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const { only = usual.join(","), arch = process.arch, image = "/var/lib/zor/images/micro" } = values;
  const { output = join(root, ".zor/package") } = values;
  const wanted = only.split(",");
  const unknown = wanted.find((kind) => !kinds.includes(kind));
  if (unknown !== undefined) throw new Error(`--only: there is no kind "${unknown}"; there are ${kinds.join(", ")}`);
  if (!Object.hasOwn(architectures, arch)) throw new Error(`--arch: "${arch}" is neither x64 nor arm64`);
  const { release } = values;
  return { wanted, arch, image: arch === "x64" ? resolve(image) : undefined, output: resolve(output), release };
}

function say(text) {
  console.error(text);
}

let options;
try {
  options = readOptions();
} catch (error) {
  console.error(`zor: ${error.message}; --help says more`);
  process.exit(2);
}
const { wanted, arch, image, output, release } = options;
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const work = join(output, `work-${process.pid}`);
mkdirSync(work, { recursive: true });
try {
  if (wanted.includes("offline")) {
    const place = join(work, "offline");
    mkdirSync(place);
    console.log(writeOffline(root, { release, arch, work: place, output }));
  }
  if (wanted.some((kind) => kind !== "offline")) await writeVersionKinds();
} catch (error) {
  console.error(`zor: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** What is made of a version of Zorhub. */
async function writeVersionKinds() {
  say(`bundling Zorhub ${version} for ${arch}`);
  if (image === undefined) say("without the micro guest image: it is built for x64 only");
  const manifest = await writeVersion(root, join(work, "version"), { arch, image });
  const directory = join(work, manifest.id);
  renameSync(join(work, "version"), directory);
  if (wanted.includes("archive")) {
    const file = join(output, `zorhub-${version}-${arch}.tar.gz`);
    const { bytes, sha256 } = await writeArchive(directory, manifest, file);
    say(`archive of ${manifest.id}: ${(bytes / 1e6).toFixed(1)} MB, sha256 ${sha256}`);
    console.log(file);
  }
  if (wanted.includes("deb")) {
    for (const file of writeDebs(root, directory, manifest, { work: join(work, "deb"), output })) console.log(file);
  }
  if (wanted.includes("oci")) console.log(await writeImage(directory, manifest, { work: join(work, "oci"), output }));
}
