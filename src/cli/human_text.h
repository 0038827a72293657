// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

// How tables and progress lines write what JSON writes exactly.
namespace penstock::cli {

// One unit, rounded down: "42s", "5m", "3h", "12d"; "0s" for a negative span.
std::string age_text(Duration span);
// Two units: "1m30s", "2h05m", "3d04h"; milliseconds below ten seconds: "0.8s".
std::string span_text(Duration span);
// Thousandths as a decimal without trailing zeros: 2000 → "2", 500 → "0.5".
std::string milli_text(std::int64_t milli);
// "512MiB", "1.5GiB", "12B".
std::string bytes_text(std::int64_t bytes);
// At most `decimals` places, trailing zeros dropped; "-" for what is absent. Where that would show
// nothing of a small number, its first two digits: "0.00031".
std::string number_text(std::optional<double> number, int decimals);
// An amount with at least two decimals; digits below a fen are kept when they matter: "12.50",
// "0.001204".
std::string amount_text(std::string_view decimal);

}  // namespace penstock::cli
