// The names of NHRP's numbers, reasons and states.
#include "controlplane/nhrp/actions.hpp"
#include "controlplane/nhrp/codes.hpp"
#include "controlplane/nhrp/snapshot.hpp"

namespace nave::nhrp {

std::string_view name(PacketType type) {
    switch (type) {
    case PacketType::resolution_request: return "resolution-request";
    case PacketType::resolution_reply: return "resolution-reply";
    case PacketType::registration_request: return "registration-request";
    case PacketType::registration_reply: return "registration-reply";
    case PacketType::purge_request: return "purge-request";
    case PacketType::purge_reply: return "purge-reply";
    case PacketType::error_indication: return "error-indication";
    case PacketType::traffic_indication: return "traffic-indication";
    }
    return "unknown";
}

std::string_view name(CieCode code) {
    switch (code) {
    case CieCode::success: return "success";
    case CieCode::administratively_prohibited: return "administratively-prohibited";
    case CieCode::insufficient_resources: return "insufficient-resources";
    case CieCode::no_binding: return "no-binding";
    case CieCode::not_unique: return "not-unique";
    case CieCode::already_registered: return "already-registered";
    }
    return "unknown";
}

std::string_view name(ErrorCode code) {
    switch (code) {
    case ErrorCode::unrecognized_extension: return "unrecognized-extension";
    case ErrorCode::loop_detected: return "loop-detected";
    case ErrorCode::protocol_address_unreachable: return "protocol-address-unreachable";
    case ErrorCode::protocol_error: return "protocol-error";
    case ErrorCode::sdu_size_exceeded: return "sdu-size-exceeded";
    case ErrorCode::invalid_extension: return "invalid-extension";
    case ErrorCode::invalid_resolution_reply: return "invalid-resolution-reply";
    case ErrorCode::authentication_failure: return "authentication-failure";
    case ErrorCode::hop_count_exceeded: return "hop-count-exceeded";
    }
    return "unknown";
}

std::string_view name(BindingEnd reason) {
    switch (reason) {
    case BindingEnd::expired: return "expired";
    case BindingEnd::purged: return "purged";
    case BindingEnd::peer_down: return "peer-down";
    case BindingEnd::taken_over: return "taken-over";
    case BindingEnd::revoked: return "revoked";
    }
    return "unknown";
}

std::string_view name(RegistrationEnd reason) {
    switch (reason) {
    case RegistrationEnd::unanswered: return "unanswered";
    case RegistrationEnd::peer_down: return "peer-down";
    case RegistrationEnd::refused: return "refused";
    case RegistrationEnd::removed: return "removed";
    }
    return "unknown";
}

std::string_view name(ShortcutEnd reason) {
    switch (reason) {
    case ShortcutEnd::expired: return "expired";
    case ShortcutEnd::purged: return "purged";
    case ShortcutEnd::replaced: return "replaced";
    case ShortcutEnd::refused: return "refused";
    }
    return "unknown";
}

std::string_view name(ResolutionFailure reason) {
    switch (reason) {
    case ResolutionFailure::unanswered: return "unanswered";
    case ResolutionFailure::refused: return "refused";
    case ResolutionFailure::unreachable: return "unreachable";
    case ResolutionFailure::no_route: return "no-route";
    case ResolutionFailure::limit: return "limit";
    case ResolutionFailure::invalid: return "invalid";
    }
    return "unknown";
}

std::string_view name(CacheKind kind) {
    switch (kind) {
    case CacheKind::registered: return "registered";
    case CacheKind::behind_hub: return "behind-hub";
    case CacheKind::shortcut: return "shortcut";
    case CacheKind::negative: return "negative";
    }
    return "unknown";
}

std::string_view name(RegistrationState state) {
    switch (state) {
    case RegistrationState::waiting_for_peer: return "waiting-for-peer";
    case RegistrationState::registering: return "registering";
    case RegistrationState::registered: return "registered";
    case RegistrationState::refused: return "refused";
    }
    return "unknown";
}

}  // namespace nave::nhrp
