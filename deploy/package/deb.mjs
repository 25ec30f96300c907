// Debian packages of a version: zorhub-common with the programs, and for agent and hub their units and what only they need.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { filesIn } from "./files.mjs";
import { architectures } from "./runtime.mjs";

const maintainer = "Zorhub maintainers <maintainers@zorhub.org>";
const home = "usr/lib/zorhub";
/** What of a version is in zorhub-common; documents lie where Debian has them. */
const common = ["zor", "dist", "node_modules", "package.json", "deploy/packages.txt"];
/** Engines that agents use where the host has them. */
const suggested = ["docker.io", "podman", "libvirt-daemon"];
/** What zorhub-common depends on, and what is on every Debian. */
const elsewhere = new Set(["libatomic1", "perl-base"]);

/** What each package is; `units` are those of deploy/systemd. */
const kinds = [
  {
    name: "zorhub-common",
    about: "lab hosts, machines, containers and lans as one fleet",
    more: [
      "The zor command and terminal interface, and the programs of agent and hub,",
      "with the runtime that they are built for.",
    ],
    units: [],
    // What the runtime loads.
    depends: () => ["libc6 (>= 2.28)", "libstdc++6", "libatomic1"],
  },
  {
    name: "zorhub-agent",
    about: "agent of Zorhub, for hosts of a fleet",
    more: [
      "Runs virtual machines, containers, lans and the cables between them on this",
      "host, as the hub of its fleet, or somebody at the agent itself, asks for.",
    ],
    units: ["zor-agent", "zor-guests"],
    depends: (version, packages) => [
      `zorhub-common (= ${version})`,
      ...packages.filter((name) => !elsewhere.has(name)),
    ],
  },
  {
    name: "zorhub-hub",
    about: "hub of Zorhub, which shows all hosts as one fleet",
    more: [
      "Knows the agents of all hosts, arranges the encrypted cables between them,",
      "and answers people and programs.",
    ],
    units: ["zor-hub"],
    depends: (version) => [`zorhub-common (= ${version})`],
  },
];

/** Writes the packages of a version's directory; tells their files. */
export function writeDebs(root, directory, manifest, { work, output }) {
  const version = debianVersion(root, manifest);
  return kinds.map((kind) => {
    const tree = join(work, kind.name);
    mkdirSync(tree, { recursive: true });
    if (kind.name === "zorhub-common") putPrograms(root, directory, manifest, tree);
    if (kind.name === "zorhub-agent" && manifest.microImage) {
      cpSync(join(directory, "images"), join(tree, home, "images"), { recursive: true });
    }
    putUnits(directory, kind, tree);
    putDocuments(root, kind, tree, { version, seconds: manifest.seconds });
    putControl(root, kind, tree, { version, arch: architectures[manifest.arch].debian });
    const file = join(output, `${kind.name}_${version}_${architectures[manifest.arch].debian}.deb`);
    const env = { PATH: process.env.PATH, LC_ALL: "C", SOURCE_DATE_EPOCH: `${manifest.seconds}` };
    execFileSync("chmod", ["-R", "u=rwX,go=rX", tree]);
    execFileSync("dpkg-deb", ["--root-owner-group", "-Zxz", "-z1", "--build", tree, file], {
      env,
      stdio: ["ignore", "ignore", "inherit"],
    });
    rmSync(tree, { recursive: true });
    return file;
  });
}

/** A release has its plain version; what is made between two is older than the next one, and newer than what was made before. */
function debianVersion(root, { version, revision, seconds }) {
  if (revision === "") return version;
  const commit = revision.slice(0, 8) + (revision.includes("-") ? ".changed" : "");
  const tags = execFileSync("git", ["-C", root, "tag", "--points-at", "HEAD"], { encoding: "utf8" }).split("\n");
  if (tags.includes(`v${version}`) && !revision.includes("-")) return version;
  return `${version}~${new Date(seconds * 1000).toISOString().replace(/\D/g, "").slice(0, 14)}.${commit}`;
}

function put(file, content, mode = 0o644) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

function putPrograms(root, directory, manifest, tree) {
  for (const path of common) {
    mkdirSync(dirname(join(tree, home, path)), { recursive: true });
    cpSync(join(directory, path), join(tree, home, path), { recursive: true });
  }
  const { files, ...rest } = manifest;
  put(join(tree, home, "manifest.json"), `${JSON.stringify(rest, undefined, 1)}\n`);
  mkdirSync(join(tree, "usr/bin"), { recursive: true });
  symlinkSync("../lib/zorhub/zor", join(tree, "usr/bin/zor"));
  const docs = join(tree, "usr/share/doc/zorhub-common");
  for (const path of files.map((each) => each.path).filter((path) => /^(?:README\.md$|docs\/)/.test(path))) {
    put(join(docs, path), readFileSync(join(directory, path)));
  }
  putZipped(join(docs, "THIRD-PARTY-LICENSES"), readFileSync(join(directory, "THIRD-PARTY-LICENSES")));
  for (const page of filesIn(join(root, "man"))) {
    putZipped(join(tree, "usr/share/man/man1", page), readFileSync(join(root, "man", page)));
  }
  // The licences of what is in node_modules are in that one file.
  for (const path of filesIn(join(tree, home, "node_modules"))) {
    if (/(?:^|\/)licen[cs]e[^/]*$/i.test(path)) rmSync(join(tree, home, "node_modules", path));
  }
}

/** Units as a package has them: the programs lie elsewhere, and so do the documents. */
function putUnits(directory, { units }, tree) {
  for (const name of units) {
    const text = readFileSync(join(directory, `deploy/systemd/${name}.service`), "utf8")
      .replaceAll("file:///opt/zorhub/current/", "file:///usr/share/doc/zorhub-common/")
      .replaceAll("/opt/zorhub/current/", `/${home}/`);
    put(join(tree, `lib/systemd/system/${name}.service`), text);
  }
}

function putDocuments(root, { name }, tree, { version, seconds }) {
  const docs = join(tree, "usr/share/doc", name);
  mkdirSync(docs, { recursive: true });
  copyFileSync(join(root, "deploy/package/debian/copyright"), join(docs, "copyright"));
  const date = new Date(seconds * 1000).toUTCString().replace("GMT", "+0000");
  const entry = `${name} (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md of the sources.\n\n -- ${maintainer}  ${date}\n`;
  putZipped(join(docs, "changelog"), entry);
  const overrides = join(root, `deploy/package/debian/${name}.lintian-overrides`);
  if (existsSync(overrides)) put(join(tree, "usr/share/lintian/overrides", name), readFileSync(overrides));
}

function putZipped(file, content) {
  put(`${file}.gz`, execFileSync("gzip", ["-9n"], { input: content, maxBuffer: 64e6 }));
}

function putControl(root, kind, tree, { version, arch }) {
  const files = filesIn(tree);
  const bytes = files.reduce((sum, path) => sum + lstatSync(join(tree, path)).size, 0);
  const depends = kind.depends(version, runtimePackages(root));
  const fields = [
    `Package: ${kind.name}`,
    "Source: zorhub",
    `Version: ${version}`,
    "Section: admin",
    "Priority: optional",
    `Architecture: ${arch}`,
    `Maintainer: ${maintainer}`,
    `Installed-Size: ${Math.ceil(bytes / 1024)}`,
    `Depends: ${depends.join(", ")}`,
    ...(kind.name === "zorhub-agent" ? [`Suggests: ${suggested.join(", ")}`] : []),
    `Description: ${kind.about}`,
    ...kind.more.map((line) => ` ${line}`),
  ];
  const control = join(tree, "DEBIAN");
  put(join(control, "control"), `${fields.join("\n")}\n`);
  const sums = files
    .filter((path) => !lstatSync(join(tree, path)).isSymbolicLink())
    .map((path) => {
      const sum = createHash("md5")
        .update(readFileSync(join(tree, path)))
        .digest("hex");
      return `${sum}  ${path}\n`;
    });
  put(join(control, "md5sums"), sums.join(""));
  if (kind.units.length === 0) return;
  const units = kind.units.map((name) => `${name}.service`).join(" ");
  for (const script of ["postinst", "prerm", "postrm"]) {
    const text = readFileSync(join(root, `deploy/package/debian/${script}`), "utf8");
    put(join(control, script), text.replaceAll("@UNITS@", units), 0o755);
  }
}

/** Packages of Debian that running needs. */
export function runtimePackages(root) {
  const lines = readFileSync(join(root, "deploy/packages.txt"), "utf8").split("\n");
  const entries = lines
    .map((line) => /^([a-z0-9][a-z0-9.+-]*)\s+#\s*(\S+)/.exec(line))
    .filter((entry) => entry !== null);
  return entries.filter(([, , reason]) => reason !== "test:").map(([, name]) => name);
}
