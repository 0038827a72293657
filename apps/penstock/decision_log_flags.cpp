// SPDX-License-Identifier: Apache-2.0
#include "decision_log_flags.h"

#include <CLI/CLI.hpp>

namespace penstock {
namespace {

constexpr int kMibShift = 20;

}  // namespace

DecisionLogFlags::DecisionLogFlags()
    : decisions_kept(static_cast<std::int64_t>(dispatch::DecisionsKept().decisions)),
      decision_log_mib(static_cast<std::int64_t>(dispatch::DecisionsKept().bytes >> kMibShift)) {}

void DecisionLogFlags::add_to(CLI::App& app) {
    app.add_option(
           "--decisions-kept", decisions_kept,
           "how many decisions are kept, the newest, to be listed and made again"
    )
        ->capture_default_str()
        ->check(CLI::Range(std::size_t{1}, dispatch::kDecisionsKeptMax));
    app.add_option(
           "--decision-log-mib", decision_log_mib,
           "how many MiB of records of them, in memory and in the store"
    )
        ->capture_default_str()
        ->check(CLI::Range(std::size_t{1}, dispatch::kDecisionMibKeptMax));
}

dispatch::DecisionsKept DecisionLogFlags::options() const {
    return {
        .decisions = static_cast<std::size_t>(decisions_kept),
        .bytes = static_cast<std::size_t>(decision_log_mib) << kMibShift
    };
}

}  // namespace penstock
