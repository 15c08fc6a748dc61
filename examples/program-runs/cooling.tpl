rate  @{rate}
start @{start}
