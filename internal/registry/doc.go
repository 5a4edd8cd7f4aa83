// SPDX-License-Identifier: GPL-3.0-or-later

// Package registry keeps nodes in OCI registries: the channel by which a fleet gets
// its systems, over what it has for containers already.
//
// An image is a chain of steps. The first is a whole system, each further one leads
// on from the one before; a step is the btrfs send stream of its node, cut into
// segments that are one zstd layer each. A new version adds a step and its layers:
// the others are those of the version before, byte for byte, which a registry keeps
// once and a machine that has that node does not fetch. A chain that grows long, or
// large beside its first step, begins anew.
//
// An image is signed by ed25519 over the digest of its manifest, which names all
// else. The signature is a manifest of its own that refers to it (OCI referrers,
// with the fallback for registries that do not know them), and is there before the
// tag is moved.
//
// docs/node-registry.md describes media types and signature for other programs.
package registry
