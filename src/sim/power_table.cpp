// SPDX-License-Identifier: Apache-2.0
#include "sim/power_table.h"

#include <algorithm>

namespace penstock::sim {
namespace {

constexpr std::int64_t kWattsMax = 100'000;
constexpr std::int64_t kCoresMax = 1024;

struct PowerColumns {
    std::size_t model, device_idle, device_full, socket_idle, socket_full, cores;
};

}  // namespace

Result<PowerList> read_power(const Csv& csv) {
    const PowerColumns columns{
        .model = TRY(csv.column("model")),
        .device_idle = TRY(csv.column("device_idle_watts")),
        .device_full = TRY(csv.column("device_full_watts")),
        .socket_idle = TRY(csv.column("socket_idle_watts")),
        .socket_full = TRY(csv.column("socket_full_watts")),
        .cores = TRY(csv.column("cores_per_socket")),
    };
    PowerList list;
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        const auto read = [&](std::size_t column, std::int64_t min, std::int64_t max) {
            return csv.integer(row, column, min, max);
        };
        const std::string& model = csv.text(row, columns.model);
        if (std::ranges::find(list.models, model) != list.models.end())
            return csv.wrong(row, columns.model, "'" + model + "' stands here twice");
        list.models.push_back(model);
        list.profiles.push_back({
            .device_idle = static_cast<std::int32_t>(TRY(read(columns.device_idle, 0, kWattsMax))),
            .device_full = static_cast<std::int32_t>(TRY(read(columns.device_full, 0, kWattsMax))),
            .socket_idle = static_cast<std::int32_t>(TRY(read(columns.socket_idle, 0, kWattsMax))),
            .socket_full = static_cast<std::int32_t>(TRY(read(columns.socket_full, 0, kWattsMax))),
            .cores_per_socket = static_cast<std::int32_t>(TRY(read(columns.cores, 1, kCoresMax))),
        });
    }
    return list;
}

Result<placement::PowerTable> PowerList::table_for(const ModelNames& cluster) const {
    placement::PowerTable table;
    for (const std::string& name : cluster.names()) {
        const auto found = std::ranges::find(models, name);
        if (found == models.end())
            return fail(
                ErrorCode::not_found, "the power list has no device model '" + name + "': add a row"
            );
        table.push_back(profiles[static_cast<std::size_t>(found - models.begin())]);
    }
    return table;
}

}  // namespace penstock::sim
