// SPDX-License-Identifier: Apache-2.0
#pragma once

// Codecs of the types that people write in more than one way. For .cpp files of this module only.
#include "json/codec.h"
#include "model/quantity.h"
#include "model/task_spec.h"
#include "model/units.h"

namespace penstock::json {

template <>
struct Codec<Units> {
    static Value encode(Units value) { return boost::json::string(penstock::to_string(value)); }
    static void decode(const Value& value, Units& out, const Path* path, Problems& problems) {
        decode_text(value, out, path, problems, [](std::string_view t) { return parse_units(t); });
    }
    static Value schema(Object&) {
        return {{"type", "string"}, {"format", "decimal"}, {"examples", {"0.00056", "60"}}};
    }
};

// A number or a string; numbers are printed the way they were written.
template <class T, class Parse>
void decode_number_or_text(
    const Value& value, T& out, const Path* path, Problems& problems, Parse parse
) {
    std::string text;
    if (const auto* string = value.if_string())
        text.assign(string->data(), string->size());
    else if (value.is_int64() || value.is_uint64())
        text = print_value(value);
    else if (value.is_double())
        text = decimal_text(value.get_double());
    else
        return problems.add(path, wrong_kind("number or string", value));
    Result<T> result = parse(std::string_view(text));
    if (result)
        out = *std::move(result);
    else
        problems.add(path, std::move(result.error().message));
}

template <>
struct Codec<CpuRange> {
    static Value encode(const CpuRange& value) {
        return boost::json::string(penstock::to_string(value));
    }
    static void decode(const Value& value, CpuRange& out, const Path* path, Problems& problems) {
        decode_number_or_text(value, out, path, problems, [](auto t) {
            return parse_cpu_range(t);
        });
    }
    static Value schema(Object&) {
        return {{"type", {"string", "number"}}, {"examples", {"4", "4+", "0.5", "2..8"}}};
    }
};

template <>
struct Codec<MemoryRange> {
    static Value encode(const MemoryRange& value) {
        return boost::json::string(penstock::to_string(value));
    }
    static void decode(const Value& value, MemoryRange& out, const Path* path, Problems& problems) {
        decode_number_or_text(value, out, path, problems, [](auto t) {
            return parse_memory_range(t);
        });
    }
    static Value schema(Object&) {
        return {{"type", {"string", "number"}}, {"examples", {"16", "16+", "512MB", "24GB..80GB"}}};
    }
};

template <>
struct Codec<Accelerator> {
    static Value encode(const Accelerator& value) {
        return boost::json::string(penstock::to_string(value));
    }
    static void decode(const Value& value, Accelerator& out, const Path* path, Problems& problems) {
        decode_text(value, out, path, problems, [](auto t) { return parse_accelerator(t); });
    }
    static Value schema(Object&) {
        return {{"type", "string"}, {"examples", {"H100:8", "A10:0.5"}}};
    }
};

template <>
struct Codec<Accelerators> {
    static Value encode(const Accelerators& value) {
        if (value.choices.size() == 1) return Codec<Accelerator>::encode(value.choices.front());
        if (value.ordered) return Codec<std::vector<Accelerator>>::encode(value.choices);
        Object set;
        for (const Accelerator& choice : value.choices)
            set.emplace(penstock::to_string(choice), nullptr);
        return set;
    }
    static void decode(
        const Value& value, Accelerators& out, const Path* path, Problems& problems
    ) {
        out = {};
        if (value.is_string()) return one(value, out, path, problems);
        if (const Array* list = value.if_array()) {
            out.ordered = true;
            for (std::size_t i = 0; i < list->size(); ++i) {
                const Path item{path, {}, i};
                one((*list)[i], out, &item, problems);
            }
            return;
        }
        const Object* set = value.if_object();
        if (set == nullptr) return problems.add(path, wrong_kind("a name, a list or a set", value));
        // {H100:8} gives the key "H100:8" without a value, {H100: 8} the key H100 with the value 8.
        for (const auto& [key, count] : *set) {
            const Path member{path, key};
            std::string text(key);
            if (!count.is_null())
                text +=
                    ":" + (count.is_string() ? std::string(count.as_string()) : print_value(count));
            one(Value(text), out, &member, problems);
        }
    }
    static Value schema(Object&) {
        return {
            {"type", {"string", "array", "object"}},
            {"examples", {"H100:8", Array{"H100:8", "A100:8"}}}
        };
    }

  private:
    static void one(const Value& value, Accelerators& out, const Path* path, Problems& problems) {
        Accelerator accelerator;
        Codec<Accelerator>::decode(value, accelerator, path, problems);
        out.choices.push_back(std::move(accelerator));
    }
};

template <>
struct Codec<EnvText> {
    static Value encode(const EnvText& value) { return boost::json::string(value.text); }
    static void decode(const Value& value, EnvText& out, const Path* path, Problems& problems) {
        if (const bool* flag = value.if_bool())
            out.text = *flag ? "true" : "false";
        else
            decode_number_or_text(value, out, path, problems, [](auto t) -> Result<EnvText> {
                return EnvText{std::string(t)};
            });
    }
    static Value schema(Object&) { return {{"type", {"string", "number", "boolean"}}}; }
};

template <>
struct Codec<Strategy> {
    static Value encode(const Strategy& value) {
        return Object{
            {"cost", value.cost},
            {"duration", value.duration},
            {"security", value.security},
            {"latency", value.latency},
            {"green", value.green}
        };
    }
    static void decode(const Value& value, Strategy& out, const Path* path, Problems& problems) {
        if (value.is_string())
            return decode_text(value, out, path, problems, [](auto t) {
                return strategy_named(t);
            });
        const Object* weights = value.if_object();
        if (weights == nullptr)
            return problems.add(path, wrong_kind("a strategy or weights", value));
        out = {};
        for (const auto& [key, weight] : *weights) {
            const Path member{path, key};
            double* target = key == "cost"       ? &out.cost
                             : key == "duration" ? &out.duration
                             : key == "security" ? &out.security
                             : key == "latency"  ? &out.latency
                             : key == "green"    ? &out.green
                                                 : nullptr;
            if (target == nullptr)
                problems.add(
                    &member,
                    "unknown strategy" +
                        did_you_mean(key, {"cost", "duration", "security", "latency", "green"})
                );
            else
                Codec<double>::decode(weight, *target, &member, problems);
            if (target != nullptr && !(*target >= 0 && *target <= 1e6))
                problems.add(&member, "a weight is zero or more");
        }
        const double sum = out.cost + out.duration + out.security + out.latency + out.green;
        if (!(sum > 0)) return problems.add(path, "at least one weight must be above zero");
        for (double* weight : {&out.cost, &out.duration, &out.security, &out.latency, &out.green})
            *weight /= sum;
    }
    static Value schema(Object&) {
        return {
            {"type", {"string", "object"}},
            {"examples", {"green", "balanced", Object{{"cost", 0.5}, {"green", 0.5}}}}
        };
    }
};

}  // namespace penstock::json
