// SPDX-License-Identifier: Apache-2.0
#include "scheduler/accelerator_text.h"

#include <fmt/format.h>

#include "scheduler/amount_text.h"

namespace penstock::scheduler {
namespace {

using fmt::format;

std::string models_of(const Capacity& capacity) {
    std::string all;
    for (const auto& [model, milli] : capacity.accelerator_milli)
        all += format("{}{}:{}", all.empty() ? "" : ", ", model, thousandths(milli));
    return all;
}

// Of what is asked, too few are linked to each other.
bool lacks_links(const ResourceRequest& asks, const Node& node) {
    return asks.linked &&
           linked_milli(node, asks.accelerator->model) < asks.accelerator->count_milli;
}

bool has_all(const ResourceRequest& asks, const Node& node) {
    return devices_milli(node.total, *asks.accelerator) >= asks.accelerator->count_milli;
}

}  // namespace

Text absent_text(const ResourceRequest& asks, const Node& node) {
    if (!asks.accelerator) return {"its price list cannot be used", "价目表不可用"};
    const std::string wanted = to_string(*asks.accelerator);
    if (lacks_links(asks, node)) {
        const std::string linked = thousandths(linked_milli(node, asks.accelerator->model));
        return {
            format("asks {} linked to each other, has at most {} that are", wanted, linked),
            format("需要互联的 {}，至多 {} 张互联", wanted, linked)
        };
    }
    if (has_all(asks, node))
        return {
            "the site sells no " + asks.accelerator->model, "站点不出售 " + asks.accelerator->model
        };
    const std::string models = models_of(node.total);
    return {
        format("asks {}, has {}", wanted, models.empty() ? "no accelerator" : models),
        format("需要 {}，实际{}", wanted, models.empty() ? "没有加速卡" : " " + models)
    };
}

Text absent_remedy(const ResourceRequest& asks, const Node& node) {
    if (!asks.accelerator)
        return {"let the provider correct the site's prices", "请供应方修正站点价格"};
    const std::string& model = asks.accelerator->model;
    if (lacks_links(asks, node)) {
        const std::string linked = thousandths(linked_milli(node, model));
        return {
            format("ask for at most {}:{}, or leave placement.topology out", model, linked),
            format("至多申请 {}:{}，或去掉 placement.topology", model, linked)
        };
    }
    if (has_all(asks, node))
        return {
            format("let the provider set a price for {}", model),
            format("请供应方为 {} 定价", model)
        };
    const std::string models = models_of(node.total);
    if (models.empty()) return {"leave resources.accelerators out", "去掉 resources.accelerators"};
    return {format("ask for at most {}", models), format("至多申请 {}", models)};
}

Text busy_text(const ResourceRequest& asks, const Node& node, const Capacity& free) {
    const std::string wanted = to_string(*asks.accelerator),
                      now = thousandths(devices_milli(free, *asks.accelerator)),
                      total = thousandths(devices_milli(node.total, *asks.accelerator));
    return {
        format(
            "asks {}, {} of {} are free{}", wanted, now, total,
            asks.linked ? " within one link domain" : ""
        ),
        format("需要 {}，{}空闲 {}，总共 {}", wanted, asks.linked ? "同一互联域内" : "", now, total)
    };
}

Text busy_remedy(const ResourceRequest& asks, const Capacity& free) {
    const std::string more = format(
        "{}:{}", asks.accelerator->model,
        thousandths(asks.accelerator->count_milli - devices_milli(free, *asks.accelerator))
    );
    return {format("wait until another {} is free", more), format("再等待 {} 空闲", more)};
}

}  // namespace penstock::scheduler
