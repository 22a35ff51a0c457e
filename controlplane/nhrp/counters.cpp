// The names of the counters.
#include "controlplane/nhrp/counters.hpp"

namespace nave::nhrp {

std::string_view name(Counter counter) {
    switch (counter) {
    case Counter::received: return "received";
    case Counter::sent: return "sent";
    case Counter::forwarded: return "forwarded";
    case Counter::malformed: return "malformed";
    case Counter::bad_checksum: return "bad-checksum";
    case Counter::authentication_failed: return "authentication-failed";
    case Counter::loop_detected: return "loop-detected";
    case Counter::hop_count_exceeded: return "hop-count-exceeded";
    case Counter::too_large: return "too-large";
    case Counter::no_route: return "no-route";
    case Counter::not_a_server: return "not-a-server";
    case Counter::unknown_extension: return "unknown-extension";
    case Counter::spoofed_source: return "spoofed-source";
    case Counter::not_permitted: return "not-permitted";
    case Counter::unexpected_reply: return "unexpected-reply";
    case Counter::duplicate_reply: return "duplicate-reply";
    case Counter::unexpected_error: return "unexpected-error";
    case Counter::unusable_indication: return "unusable-indication";
    case Counter::errors_received: return "errors-received";
    case Counter::errors_sent: return "errors-sent";
    case Counter::errors_suppressed: return "errors-suppressed";
    case Counter::registrations_refused: return "registrations-refused";
    case Counter::registrations_unanswered: return "registrations-unanswered";
    case Counter::resolutions_unanswered: return "resolutions-unanswered";
    case Counter::resolutions_refused: return "resolutions-refused";
    case Counter::negative_hits: return "negative-hits";
    case Counter::purges_unanswered: return "purges-unanswered";
    case Counter::purges_received: return "purges-received";
    case Counter::bindings_full: return "bindings-full";
    case Counter::bindings_policed: return "bindings-policed";
    case Counter::resolutions_policed: return "resolutions-policed";
    case Counter::shortcuts_full: return "shortcuts-full";
    case Counter::pending_full: return "pending-full";
    case Counter::negative_full: return "negative-full";
    case Counter::answers_full: return "answers-full";
    case Counter::purges_full: return "purges-full";
    case Counter::confirmations_full: return "confirmations-full";
    case Counter::vouchers_full: return "vouchers-full";
    case Counter::count: break;
    }
    return "unknown";
}

}  // namespace nave::nhrp
