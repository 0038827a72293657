// SPDX-License-Identifier: Apache-2.0
#include "model/task_spec.h"

#include <algorithm>
#include <array>

#include "model/alternatives.h"
#include "model/quantity_codec.h"
#include "model/quantization.h"
#include "model/replica_policy.h"
#include "model/time_shared.h"

JSON_INSTANTIATE(penstock::TaskSpec);
JSON_INSTANTIATE(penstock::Strategy);
JSON_INSTANTIATE(penstock::ArraySpec);

namespace penstock {
namespace {

using json::Problems;

void not_yet(
    Problems& problems, std::string field, std::string_view what, std::string_view remedy
) {
    problems.add(
        std::move(field),
        "is understood but not executable yet: " + std::string(what) + "; " + std::string(remedy)
    );
}

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= kNameLengthMax &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._") ==
               std::string_view::npos &&
           name.front() != '-' && name.front() != '.';
}

// A path that stays below the work directory (or /out, which is a folder of it).
bool stays_below(std::string_view path) {
    if (path.starts_with("/out/")) path.remove_prefix(1);
    return !path.empty() && path.front() != '/' && path != ".." && !path.starts_with("../") &&
           path.find("/../") == std::string_view::npos && !path.ends_with("/..");
}

void check_general(const TaskSpec& spec, Problems& problems) {
    if (spec.api_version && *spec.api_version != "penstock.dev/v1")
        problems.add(
            "apiVersion",
            "'" + *spec.api_version + "' is not known: write penstock.dev/v1 or leave it out"
        );
    if (!spec.name.empty() && !is_name(spec.name))
        problems.add("name", "use 1 to 63 of a-z 0-9 - . _, starting with a letter or digit");
    if (spec.template_) not_yet(problems, "template", "templates", "write the task's own `run`");
    if (!spec.run && !spec.template_)
        problems.add(
            "run", "is missing: state the command to run, for instance `run: python train.py`"
        );
    if (spec.run && (spec.run->empty() || spec.run->size() > kScriptBytesMax))
        problems.add("run", "must have 1 to 262144 bytes");
    if (spec.setup && spec.setup->size() > kScriptBytesMax)
        problems.add("setup", "must have at most 262144 bytes");
    if (spec.priority < -kPriorityMax || spec.priority > kPriorityMax)
        problems.add("priority", "must be from -1000 to 1000");
    if (spec.time_limit && *spec.time_limit <= 0s) problems.add("time_limit", "must be above zero");
    for (const auto& [name, value] : spec.envs) {
        const bool plain = !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
                           std::ranges::all_of(name, [](char c) {
                               return c == '_' || (c >= 'A' && c <= 'Z') ||
                                      (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                           });
        if (!plain) problems.add("envs." + name, "is not the name of an environment variable");
        if (name.starts_with("PENSTOCK_"))
            problems.add(
                "envs." + name,
                "names starting with PENSTOCK_ are set by the platform: choose another"
            );
        if (value.text.find('\0') != std::string::npos)
            problems.add("envs." + name, "may not contain NUL");
    }
}

void check_resources(const ResourcesSpec& resources, Problems& problems) {
    if (resources.cpus && resources.cpus->min <= 0)
        problems.add("resources.cpus", "must be above zero");
    if (resources.memory && resources.memory->min <= 0)
        problems.add("resources.memory", "must be above zero");
    if (resources.max_hourly_cost && !parse_money(resources.max_hourly_cost->text))
        problems.add(
            "resources.max_hourly_cost",
            "'" + resources.max_hourly_cost->text + "' is not an amount: write it as 12.50"
        );
    if (resources.image_id)
        not_yet(
            problems, "resources.image_id", "container images",
            "leave it out to run on the site's own system"
        );
    if (resources.disk_size)
        not_yet(problems, "resources.disk_size", "no driver enforces a disk limit", "leave it out");
    if (resources.network_tier)
        not_yet(problems, "resources.network_tier", "network classes", "leave it out");
    if (!resources.ports.empty())
        not_yet(
            problems, "resources.ports", "published ports",
            "use kind: Service, which gets PENSTOCK_PORT"
        );
    if (resources.autostop)
        not_yet(problems, "resources.autostop", "idle detection", "use time_limit");
    check_alternatives(resources, problems);
}

void check_topology(const TaskSpec& spec, const TopologySpec& topology, Problems& problems) {
    constexpr std::array kCells = {"domain", "rack", "site", "metro", "any"};
    const bool narrow = topology.pack == "domain" || topology.pack == "rack";
    if (std::ranges::find(kCells, topology.pack) == kCells.end())
        problems.add(
            "placement.topology.pack",
            "'" + topology.pack + "' is not one of domain, rack, site, metro, any"
        );
    if (topology.max_sites && *topology.max_sites < 1)
        problems.add("placement.topology.max_sites", "must be at least 1");
    const bool one_site =
        narrow || topology.pack == "site" || topology.max_sites.value_or(kGangMembersMax) == 1;
    if (one_site && topology.max_sites.value_or(1) > 1)
        problems.add(
            "placement.topology.max_sites",
            "contradicts pack: " + topology.pack + ", which is within one site: say pack: any"
        );
    if (!topology.spread) return;
    if (*topology.spread != "rack" && *topology.spread != "site")
        problems.add(
            "placement.topology.spread", "'" + *topology.spread + "' is not one of rack, site"
        );
    else if (narrow)
        problems.add(
            "placement.topology.spread",
            "contradicts pack: " + topology.pack + ": say pack: site, or leave spread out"
        );
    else if (*topology.spread == "site" &&
             (one_site || topology.max_sites.value_or(spec.num_nodes) < spec.num_nodes))
        problems.add(
            "placement.topology.spread",
            "wants as many sites as nodes: allow them with pack: any and without max_sites"
        );
}

void check_inputs(const TaskSpec& spec, Problems& problems) {
    if (!spec.inputs) return;
    if (spec.inputs->size() > kInputsMax) problems.add("inputs", "must have at most 64 entries");
    for (std::size_t i = 0; i < spec.inputs->size(); ++i) {
        const InputSpec& input = (*spec.inputs)[i];
        const std::string at = "inputs[" + std::to_string(i) + "]";
        if (input.task.empty())
            problems.add(at + ".task", "is missing: the task whose outputs are taken");
        if (input.path.empty())
            problems.add(at + ".path", "names no output: leave it out to take all of them");
        if (!stays_below(input.to))
            problems.add(at + ".to", "must stay below the work directory: for instance in/model");
    }
}

void check_parts(const TaskSpec& spec, Problems& problems) {
    if (is_spot(spec) && !spec.preemptible.value_or(true))
        problems.add(
            "preemptible",
            "spot work always gives way: leave it out, or leave resources.use_spot out"
        );
    if (is_preemptible(spec) && spec.service)
        problems.add(
            is_spot(spec) ? "resources.use_spot" : "preemptible",
            "a service answers calls and is not stopped for others: leave it out"
        );
    if (!spec.secrets.empty())
        not_yet(
            problems, "secrets", "the secret store", "leave it out: values would not be protected"
        );
    if (!spec.file_mounts.empty())
        not_yet(problems, "file_mounts", "mounting object stores", "put the files into workdir");
    if (!spec.notify.empty()) not_yet(problems, "notify", "webhooks", "watch the task instead");
    if (spec.compliance)
        not_yet(problems, "compliance", "compliance classes", "use placement.constraints");
    if (spec.pricing && (spec.pricing->mode != PricingMode::on_demand || spec.pricing->bid))
        not_yet(problems, "pricing.mode", "only on_demand prices", "say on_demand or leave it out");
    for (std::size_t i = 0; i < spec.outputs.size(); ++i) {
        const std::string at = "outputs[" + std::to_string(i) + "]";
        if (!stays_below(spec.outputs[i].path))
            problems.add(
                at + ".path", "must stay below the work directory or /out: for instance out/*.png"
            );
        if (spec.outputs[i].url)
            not_yet(
                problems, at + ".url", "copying outputs to a bucket",
                "fetch them with penstock task get"
            );
    }
    if (spec.placement && spec.placement->near &&
        (spec.placement->near->empty() || spec.placement->near->size() > kNameLengthMax))
        problems.add("placement.near", "must have 1 to 63 characters: for instance cn-hubei");
    if (spec.checkpoint) {
        if (!stays_below(spec.checkpoint->path))
            problems.add("checkpoint.path", "must stay below the work directory or /out");
        if (spec.checkpoint->every < 1s) problems.add("checkpoint.every", "must be at least 1s");
    }
    if (spec.budget) {
        if (spec.budget->max_total && *spec.budget->max_total <= Money())
            problems.add("budget.max_total", "must be above zero");
        if (spec.budget->currency != "CNY")
            not_yet(problems, "budget.currency", "only CNY is settled", "write CNY");
        for (const double share : spec.budget->alert_at)
            if (!(share > 0 && share <= 1))
                problems.add("budget.alert_at", "each share is above 0 and at most 1");
    }
    if (spec.acceptance) {
        if (spec.acceptance->dispute_window)
            not_yet(problems, "acceptance.dispute_window", "disputes", "leave it out");
        for (std::size_t i = 0; i < spec.acceptance->checks.size(); ++i)
            if (!stays_below(spec.acceptance->checks[i].file))
                problems.add(
                    "acceptance.checks[" + std::to_string(i) + "].file",
                    "must stay below the work directory or /out"
                );
    }
    if (!spec.placement) return;
    if (spec.placement->bandwidth)
        not_yet(problems, "placement.bandwidth", "bandwidth reservations", "leave it out");
    if (spec.placement->topology) check_topology(spec, *spec.placement->topology, problems);
}

void check_prices(const ServiceSpec& service, Problems& problems) {
    constexpr const char* kNegative =
        "may not be negative: it is what a million tokens cost; leave it out for the site's price";
    if (service.price_input && service.price_input->is_negative())
        problems.add("service.price_input", kNegative);
    if (service.price_output && service.price_output->is_negative())
        problems.add("service.price_output", kNegative);
    if (const Result<void> fine = check_share(service.batch_percent, "batch_percent"); !fine)
        problems.add("service." + fine.error().field, fine.error().message);
    if (const Result<void> fine = check_share(service.cached_percent, "cached_percent"); !fine)
        problems.add("service." + fine.error().field, fine.error().message);
    if (const Result<void> fine = check_quantization(service.quantization, "quantization"); !fine)
        problems.add("service." + fine.error().field, fine.error().message);
    if (!service.class_prices) return;
    if (const Result<void> fine = check(*service.class_prices); !fine)
        problems.add("service." + fine.error().field, fine.error().message);
}

void check_kind(const TaskSpec& spec, Problems& problems) {
    if (spec.kind == TaskKind::Desktop || spec.kind == TaskKind::Agent)
        not_yet(problems, "kind", "desktops and agents", "use Task, Service or Render");
    if (spec.num_nodes < 1) problems.add("num_nodes", "must be at least 1");
    if (spec.num_nodes > kGangMembersMax) problems.add("num_nodes", "must be at most 256");
    if (spec.num_nodes > 1 && spec.kind == TaskKind::Service)
        not_yet(
            problems, "num_nodes", "replicas over several nodes",
            "use num_nodes: 1 and service.replicas"
        );
    if (spec.kind == TaskKind::Service && !spec.service)
        problems.add(
            "service",
            "is missing: kind Service needs it, for instance service: {protocol: openai, model: "
            "NAME}"
        );
    if (spec.kind != TaskKind::Service && spec.service)
        problems.add(
            "service", "belongs to kind: Service; this is kind " +
                           std::string(spec.kind == TaskKind::Render ? "Render" : "Task")
        );
    if (spec.array && spec.service)
        problems.add("array", "a service has replicas, not an array: drop one of the two");
    if (spec.array) {
        const Result<std::vector<ArrayPoint>> points = expand_array(*spec.array);
        if (!points) problems.add(points.error().field, points.error().message);
        if (spec.array->chunk < 1) problems.add("array.chunk", "must be at least 1");
        if (spec.array->max_parallel < 0)
            problems.add("array.max_parallel", "must be 0 (no limit) or more");
        if (spec.array->retry.per_item < 0)
            problems.add("array.retry.per_item", "must be 0 or more");
    }
    if (!spec.service) return;
    const ServiceSpec& service = *spec.service;
    if (service.protocol != "http" && service.protocol != "openai")
        problems.add("service.protocol", "'" + service.protocol + "' is not one of http, openai");
    if (service.protocol == "openai" && !service.model)
        problems.add(
            "service.model", "is missing: the name under which the gateway offers the model"
        );
    check_replicas(service, problems);
    check_prices(service, problems);
    if (service.readiness_probe.path.empty() || service.readiness_probe.path.front() != '/')
        problems.add("service.readiness_probe.path", "must start with /");
}

// values = item *("," item);  item = integer "-" integer [":" step] | text
Result<std::vector<std::string>> parameter_values(const std::string& name, std::string_view text) {
    const std::string field = "array.params." + name;
    std::vector<std::string> values;
    const auto too_many = [&] {
        return fail_field(ErrorCode::invalid_argument, field, "gives more than 10000 values");
    };
    while (true) {
        const std::string_view part = text.substr(0, text.find(','));
        long long first = 0, last = 0, step = 1;
        int used = 0;
        const std::string copy(part);
        const int fields =
            std::sscanf(copy.c_str(), "%9lld-%9lld%n:%9lld%n", &first, &last, &used, &step, &used);
        if (fields >= 2 && static_cast<std::size_t>(used) == part.size()) {
            if (step < 1 || last < first)
                return fail_field(
                    ErrorCode::invalid_argument, field,
                    "'" + copy + "' is not a range: write low-high or low-high:step"
                );
            if ((last - first) / step >= kArrayItemsMax) return too_many();
            for (long long value = first; value <= last; value += step)
                values.push_back(std::to_string(value));
        } else if (part.empty()) {
            return fail_field(
                ErrorCode::invalid_argument, field, "has an empty value: write 1-240:1 or a,b,c"
            );
        } else {
            values.emplace_back(part);
        }
        if (values.size() > static_cast<std::size_t>(kArrayItemsMax)) return too_many();
        if (part.size() == text.size()) return values;
        text.remove_prefix(part.size() + 1);
    }
}

}  // namespace

Strategy balanced_strategy() { return {0.2, 0.2, 0.2, 0.2, 0.2}; }

Result<Strategy> strategy_named(std::string_view name) {
    if (name == "balanced") return balanced_strategy();
    if (name == "cost") return Strategy{.cost = 1};
    if (name == "duration") return Strategy{.duration = 1};
    if (name == "security") return Strategy{.security = 1};
    if (name == "latency") return Strategy{.latency = 1};
    if (name == "green") return Strategy{.green = 1};
    return fail(
        ErrorCode::invalid_argument,
        "'" + std::string(name) +
            "' is not one of balanced, cost, duration, security, latency, green"
    );
}

Result<std::vector<ArrayPoint>> expand_array(const ArraySpec& array) {
    if (array.params.empty())
        return fail_field(
            ErrorCode::invalid_argument, "array.params",
            "is missing: for instance {Frame: \"1-240:1\"}"
        );
    std::vector<ArrayPoint> points(1);
    for (const auto& [name, text] : array.params) {
        const std::vector<std::string> values = TRY(parameter_values(name, text));
        if (points.size() * values.size() > static_cast<std::size_t>(kArrayItemsMax))
            return fail_field(
                ErrorCode::resource_exhausted, "array.params",
                "give more than 10000 combinations: split the task"
            );
        std::vector<ArrayPoint> product;
        product.reserve(points.size() * values.size());
        for (const ArrayPoint& point : points)
            for (const std::string& value : values) {
                product.push_back(point);
                product.back()[name] = value;
            }
        points = std::move(product);
    }
    return points;
}

bool is_spot(const TaskSpec& spec) { return spec.resources.use_spot.value_or(false); }

bool is_preemptible(const TaskSpec& spec) {
    return is_spot(spec) || is_time_shared(spec) || spec.preemptible.value_or(false);
}

std::expected<TaskSpec, std::vector<Error>> parse_task_spec(const json::Value& document) {
    std::expected<TaskSpec, std::vector<Error>> spec = json::decode_all<TaskSpec>(document);
    if (!spec) return spec;
    Problems problems;
    check_general(*spec, problems);
    check_kind(*spec, problems);
    check_resources(spec->resources, problems);
    unite_accelerators(spec->resources);
    check_parts(*spec, problems);
    check_inputs(*spec, problems);
    check_time_shared(*spec, problems);
    if (!problems.empty()) return std::unexpected(problems.take());
    return spec;
}

}  // namespace penstock
