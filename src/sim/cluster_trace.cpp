// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster_trace.h"

#include <algorithm>
#include <numeric>

namespace penstock::sim {
namespace {

constexpr std::int64_t kCpuMilliMax = 1'000'000'000;
constexpr std::int64_t kMemoryMibMax = 1'000'000'000;
constexpr std::int64_t kCellMax = 1'000'000;  // numbers of racks and sites
constexpr std::int64_t kMilliPerCpu = 1000;

struct NodeColumns {
    std::size_t name = 0;
    std::size_t cpu = 0;
    std::int64_t cpu_unit = 1;  // milli in one
    std::optional<std::size_t> memory;
    std::size_t devices = 0;
    std::size_t model = 0;
    std::optional<std::size_t> per_domain;
    std::optional<std::size_t> rack;
    std::optional<std::size_t> site;
};

Result<NodeColumns> node_columns(const Csv& csv) {
    NodeColumns columns;
    if (csv.find_column("gpu_capacity_num")) {
        columns.name = TRY(csv.column("node_name"));
        columns.cpu = TRY(csv.column("cpu_num"));
        columns.cpu_unit = kMilliPerCpu;
        columns.devices = TRY(csv.column("gpu_capacity_num"));
        columns.model = TRY(csv.column("gpu_model"));
    } else {
        columns.name = TRY(csv.column("sn"));
        columns.cpu = TRY(csv.column("cpu_milli"));
        columns.memory = TRY(csv.column("memory_mib"));
        columns.devices = TRY(csv.column("gpu"));
        columns.model = TRY(csv.column("model"));
    }
    columns.per_domain = csv.find_column("devices_per_domain");
    columns.rack = csv.find_column("rack");
    columns.site = csv.find_column("site");
    return columns;
}

Result<std::int32_t> integer(
    const Csv& csv, std::size_t row, std::size_t column, std::int64_t min, std::int64_t max
) {
    return static_cast<std::int32_t>(TRY(csv.integer(row, column, min, max)));
}

Result<placement::NodeSpec> read_node(
    const Csv& csv, std::size_t row, const NodeColumns& columns, ModelNames& models
) {
    placement::NodeSpec node;
    TRY(csv.filled_text(row, columns.name));
    const std::int64_t cpu = TRY(csv.integer(row, columns.cpu, 0, kCpuMilliMax / columns.cpu_unit));
    node.cpu_milli = static_cast<std::int32_t>(cpu * columns.cpu_unit);
    if (columns.memory) node.memory_mib = TRY(integer(csv, row, *columns.memory, 0, kMemoryMibMax));
    node.devices = TRY(integer(csv, row, columns.devices, 0, placement::kDevicesPerNodeMax));
    if (node.devices > 0)
        node.model = TRY(models.intern(TRY(csv.filled_text(row, columns.model))));
    else if (!csv.text(row, columns.model).empty())
        return csv.wrong(row, columns.model, "names a model, but the node has no device");
    if (columns.per_domain)
        node.devices_per_domain =
            TRY(integer(csv, row, *columns.per_domain, 0, placement::kDevicesPerNodeMax));
    const auto cell = [&](std::optional<std::size_t> column) -> Result<std::uint32_t> {
        if (!column) return 0;
        return static_cast<std::uint32_t>(TRY(csv.integer(row, *column, 0, kCellMax)));
    };
    node.rack = TRY(cell(columns.rack));
    node.site = TRY(cell(columns.site));
    return node;
}

struct TaskColumns {
    std::size_t name, cpu, memory, devices, milli;
    std::optional<std::size_t> models;
};

Result<placement::ModelMask> read_models(
    const Csv& csv, std::size_t row, std::size_t column, ModelNames& models
) {
    std::string_view rest = csv.text(row, column);
    if (rest.empty()) return placement::kAnyModel;
    placement::ModelMask mask = 0;
    while (true) {
        const std::size_t bar = rest.find('|');
        const std::string name(rest.substr(0, bar));
        if (name.empty()) return csv.wrong(row, column, "an empty model name beside '|'");
        mask |= placement::ModelMask{1} << TRY(models.intern(name));
        if (bar == std::string_view::npos) return mask;
        rest.remove_prefix(bar + 1);
    }
}

Result<TracedTask> read_task(
    const Csv& csv, std::size_t row, const TaskColumns& columns, ModelNames& models
) {
    TracedTask task{.name = TRY(csv.filled_text(row, columns.name))};
    placement::Request& request = task.request;
    request.cpu_milli = TRY(integer(csv, row, columns.cpu, 0, kCpuMilliMax));
    if (request.cpu_milli == 0) request.cpu_milli = kLeastCpuMilli;
    request.memory_mib = TRY(integer(csv, row, columns.memory, 0, kMemoryMibMax));
    const std::int32_t devices =
        TRY(integer(csv, row, columns.devices, 0, placement::kDevicesPerNodeMax));
    const std::int32_t milli = TRY(integer(
        csv, row, columns.milli, devices > 0 ? 1 : 0, devices > 0 ? placement::kWholeDevice : 0
    ));
    request.devices = static_cast<std::uint16_t>(devices);
    request.device_milli = static_cast<std::uint16_t>(milli);
    if (columns.models && devices > 0)
        request.models = TRY(read_models(csv, row, *columns.models, models));
    return task;
}

}  // namespace

Result<std::uint8_t> ModelNames::intern(const std::string& name) {
    const auto found = std::ranges::find(names_, name);
    const auto index = static_cast<std::uint8_t>(found - names_.begin());
    if (found != names_.end()) return index;
    if (names_.size() == placement::kDeviceModelsMax)
        return fail(
            ErrorCode::resource_exhausted,
            "more than " + std::to_string(placement::kDeviceModelsMax - 1) + " device models"
        );
    names_.push_back(name);
    return index;
}

std::int64_t ClusterTrace::devices() const {
    return std::accumulate(
        nodes.begin(), nodes.end(), std::int64_t{0},
        [](std::int64_t sum, const placement::NodeSpec& node) { return sum + node.devices; }
    );
}

Result<ClusterTrace> read_cluster(const Csv& csv) {
    const NodeColumns columns = TRY(node_columns(csv));
    ClusterTrace cluster;
    cluster.memory_known = columns.memory.has_value();
    cluster.topology_known = columns.rack.has_value();
    cluster.nodes.reserve(csv.rows());
    for (std::size_t row = 0; row < csv.rows(); ++row)
        cluster.nodes.push_back(TRY(read_node(csv, row, columns, cluster.models)));
    if (cluster.devices() == 0)
        return fail(ErrorCode::invalid_argument, csv.name() + ": no node has a device");
    return cluster;
}

Result<std::vector<TracedTask>> read_tasks(const Csv& csv, ModelNames& models) {
    const TaskColumns columns{
        .name = TRY(csv.column("name")),
        .cpu = TRY(csv.column("cpu_milli")),
        .memory = TRY(csv.column("memory_mib")),
        .devices = TRY(csv.column("num_gpu")),
        .milli = TRY(csv.column("gpu_milli")),
        .models = csv.find_column("gpu_spec"),
    };
    std::vector<TracedTask> tasks;
    tasks.reserve(csv.rows());
    for (std::size_t row = 0; row < csv.rows(); ++row)
        tasks.push_back(TRY(read_task(csv, row, columns, models)));
    if (tasks.empty()) return fail(ErrorCode::invalid_argument, csv.name() + ": no tasks");
    return tasks;
}

}  // namespace penstock::sim
