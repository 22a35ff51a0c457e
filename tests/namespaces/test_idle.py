"""What a DMVPN costs while nothing happens."""


def setup(lab):
    lab.start_all()


def three_idle_gateways_stay_below_three_percent_of_a_core_over_30_seconds(lab):
    percents = lab.idle_cpu_percent(30)
    assert len(percents) == 3 and all(value < 3 for value in percents.values()), percents
