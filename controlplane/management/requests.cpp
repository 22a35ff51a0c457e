// From a request line to its answer line.
#include "controlplane/management/requests.hpp"

#include "controlplane/config/suggestion.hpp"
#include "controlplane/management/views_json.hpp"

#include <exception>
#include <expected>
#include <fmt/format.h>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace nave::management {
namespace {

using Json = nlohmann::ordered_json;
/// The result as JSON text, or in words why there is none.
using Result = std::expected<std::string, std::string>;

std::unexpected<std::string> error(std::string text) { return std::unexpected{std::move(text)}; }

std::string json_text(std::string_view text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

std::optional<std::string> text_member(const Json& request, const char* key) {
    const auto member = request.find(key);
    if (member == request.end() || !member->is_string()) return std::nullopt;
    return member->get<std::string>();
}

Result show(const Json& request, const Operable& gateway) {
    static const std::vector<std::pair<std::string_view, std::function<std::string(const Operable&)>>> kViews{
        {"peers", [](const Operable& from) { return to_json(from.peers()); }},
        {"nhrp", [](const Operable& from) { return to_json(from.nhrp()); }},
        {"ike", [](const Operable& from) { return to_json(from.ike()); }},
        {"sas", [](const Operable& from) { return to_json(from.sas()); }},
        {"routes", [](const Operable& from) { return to_json(from.routes()); }},
        {"ports", [](const Operable& from) { return to_json(from.ports()); }},
        {"drops", [](const Operable& from) { return drops_json(from.dataplane_counters()); }},
        {"stages", [](const Operable& from) { return stages_json(from.dataplane_counters()); }},
        {"counters", [](const Operable& from) { return counters_json(from.dataplane_counters(), from.control_counters()); }},
        {"config", [](const Operable& from) { return to_json(config::effective(from.configuration())); }},
    };
    const std::vector<std::string> known{kShowable.begin(), kShowable.end()};
    const auto what = text_member(request, "what");
    if (!what) return error(fmt::format("show needs \"what\"{}", config::suggestion("", known)));
    for (const auto& [view_name, view] : kViews) {
        if (view_name == *what) return view(gateway);
    }
    return error(fmt::format("cannot show {}{}", json_text(*what), config::suggestion(*what, known)));
}

Result clear(const Json& request, Operable& gateway) {
    const auto peer = text_member(request, "peer");
    if (!peer || peer->empty()) return error("clear needs \"peer\": an identity, a tunnel address, an NBMA address, or \"all\"");
    return Json{{"closed", gateway.clear_peer(*peer)}}.dump();
}

Result perform(const Json& request, Operable& gateway) {
    if (!request.is_object()) return error("not a request: a line holds one JSON object, such as {\"command\": \"show\", \"what\": \"peers\"}");
    const auto command = text_member(request, "command");
    if (!command) return error("\"command\" is missing; known: show, clear, shutdown");
    if (*command == "show") return show(request, gateway);
    if (*command == "clear") return clear(request, gateway);
    if (*command == "shutdown") {
        gateway.shut_down();
        return "{}";
    }
    return error(fmt::format("unknown command {}{}", json_text(*command), config::suggestion(*command, {"show", "clear", "shutdown"})));
}

}  // namespace

std::string answer(std::string_view line, Operable& gateway) {
    try {
        const Result result = perform(Json::parse(line, nullptr, false), gateway);
        if (!result) return refusal(result.error());
        return fmt::format("{{\"ok\":true,\"result\":{}}}", *result);
    } catch (const std::exception& failure) {
        return refusal(fmt::format("the gateway could not answer: {}", failure.what()));
    }
}

std::string refusal(std::string_view text) { return fmt::format("{{\"ok\":false,\"error\":{}}}", json_text(text)); }

}  // namespace nave::management
